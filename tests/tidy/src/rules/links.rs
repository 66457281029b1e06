//! A relative link in a document leads to a file of the tree.

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

use crate::markdown::Markdown;
use crate::{File, Tree, Violation};

/// Links that lead nowhere.
pub fn violations(tree: &Tree) -> Vec<Violation> {
    tree.markdown().flat_map(|file| of_file(tree, file)).collect()
}

/// The file or folder of the workspace that a link in `file` leads to; `None` if it leads out.
pub(super) fn destination(file: &File, target: &str) -> Option<Utf8PathBuf> {
    let path = target.split(['#', '?']).next().unwrap_or_default();
    let from = if path.starts_with('/') { Utf8Path::new("") } else { file.path().parent()? };
    let mut reached = Utf8PathBuf::new();
    for component in from.join(path.trim_start_matches('/')).components() {
        match component {
            Utf8Component::Normal(name) => reached.push(name),
            Utf8Component::ParentDir if reached.pop() => {}
            Utf8Component::CurDir => {}
            _ => return None,
        }
    }
    Some(reached)
}

/// Whether a link stays in the repository and leaves its own document.
pub(super) fn is_relative(target: &str) -> bool {
    let is_scheme = |word: &str| word.chars().all(|c| c.is_ascii_alphanumeric());
    let has_scheme = target.split_once(':').is_some_and(|(scheme, _)| is_scheme(scheme));
    !has_scheme && !target.starts_with('#') && !target.starts_with("//")
}

fn of_file(tree: &Tree, file: &File) -> Vec<Violation> {
    let links = Markdown::parse(file.text()).links();
    let broken = links.into_iter().filter(|(_, target)| {
        let leads = |target| destination(file, target).is_some_and(|path| tree.contains(&path));
        is_relative(target) && !leads(target)
    });
    broken
        .map(|(line, target)| Violation {
            rule: "links",
            place: file.at(line),
            what: format!("the link `{target}` leads nowhere"),
            instead: "link to a file of the repository, relative to this document".to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::violations;
    use crate::Tree;

    fn check(text: &str, expect: usize) {
        let tree =
            Tree::of(&[("docs/guide/start.md", text), ("docs/cli.md", ""), ("README.md", "")]);
        assert_eq!(violations(&tree).len(), expect, "{text}");
    }

    #[test]
    fn a_link_that_leads_nowhere_is_caught() {
        check("[a](cli.md)", 1);
        check("[a](../cli.md) and [b](../config.md#x)", 1);
        check("[a](../../../README.md)", 1);
        check("![a](../logo.png)", 1);
        check("[a]: ../gone.md", 1);
    }

    #[test]
    fn a_link_that_leads_somewhere_is_not_caught() {
        check("[a](../cli.md), [b](../cli.md#mangrove-init \"Init\")", 0);
        check("[a](../../README.md), [b](/docs/cli.md), [c](..), [d](../../docs/)", 0);
        check("[a](#here), [b](https://example.org/x.md), [c](mailto:a@example.org)", 0);
        check("[a]: ../cli.md\n[^1]: note.md", 0);
    }

    #[test]
    fn a_link_in_code_is_not_caught() {
        check("`[a](gone.md)`\n```\n[b](gone.md)\n```", 0);
    }
}
