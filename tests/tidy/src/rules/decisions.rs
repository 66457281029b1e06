//! Every decision is found from the list of decisions.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};

use super::links;
use crate::markdown::Markdown;
use crate::{File, Tree, Violation};

const FOLDER: &str = "docs/decisions";
const LIST: &str = "docs/decisions/README.md";

/// Decisions that the list does not link to.
pub fn violations(tree: &Tree) -> Vec<Violation> {
    let listed = tree.file(Utf8Path::new(LIST)).map(listed).unwrap_or_default();
    let decisions = tree.files().iter().filter(|file| file.path().starts_with(FOLDER));
    decisions
        .filter(|file| file.path() != LIST && !listed.contains(file.path()))
        .map(|file| Violation {
            rule: "decisions",
            place: file.path().to_string(),
            what: format!("{LIST} does not link to this decision"),
            instead: "add a line with its title and a link".to_owned(),
        })
        .collect()
}

fn listed(list: &File) -> BTreeSet<Utf8PathBuf> {
    let links = Markdown::parse(list.text()).links();
    let relative = links.iter().filter(|(_, target)| links::is_relative(target));
    relative.filter_map(|(_, target)| links::destination(list, target)).collect()
}

#[cfg(test)]
mod tests {
    use super::violations;
    use crate::Tree;

    fn check(files: &[(&str, &str)], expect: usize) {
        assert_eq!(violations(&Tree::of(files)).len(), expect, "{files:?}");
    }

    #[test]
    fn a_decision_that_is_not_listed_is_caught() {
        check(&[("docs/decisions/actix.md", "")], 1);
        check(&[("docs/decisions/actix.md", ""), ("docs/decisions/README.md", "actix.md")], 1);
    }

    #[test]
    fn a_decision_that_is_listed_is_not_caught() {
        let list = ("docs/decisions/README.md", "- [Actors](actix.md#why)");
        check(&[("docs/decisions/actix.md", ""), list], 0);
    }

    #[test]
    fn no_decisions_need_no_list() {
        check(&[("docs/cli.md", "")], 0);
    }
}
