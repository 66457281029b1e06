//! A command that a document tells its reader to type is one that `docs/cli.md` describes.

use std::collections::BTreeSet;

use camino::Utf8Path;

use crate::markdown::{self, Markdown};
use crate::shell::{self, Command};
use crate::{File, Tree, Violation};

const REFERENCE: &str = "docs/cli.md";

const OPENING: [&str; 3] = ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md"];

/// Global flags that may stand before the command and are followed by a value.
const VALUE_FLAGS: [&str; 7] =
    ["--home", "--color", "--timeout", "--passphrase-file", "--set", "--api", "--token-file"];

/// Documents that tell their reader to type an unknown command.
pub fn violations(tree: &Tree) -> Vec<Violation> {
    let known = known(tree);
    let checked = documents(tree).filter(|file| file.path() != REFERENCE);
    checked.flat_map(|file| of_file(file, &known)).collect()
}

/// The documents that a newcomer follows to the letter.
pub(super) fn documents(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.markdown().filter(|file| {
        file.path().starts_with("docs") || OPENING.iter().any(|path| file.path() == *path)
    })
}

/// Every command with a heading in the reference, as its words after `mangrove`.
fn known(tree: &Tree) -> BTreeSet<Vec<String>> {
    let reference = tree.file(Utf8Path::new(REFERENCE)).map(File::text).unwrap_or_default();
    let reference = Markdown::parse(reference);
    let spans = reference.headings().flat_map(markdown::code_spans);
    let headings = spans.filter_map(|span| span.strip_prefix("mangrove "));
    let words = headings.map(|heading| {
        heading.split_whitespace().take_while(|it| shell::is_bare(it)).map(str::to_owned).collect()
    });
    words.collect()
}

fn of_file(file: &File, known: &BTreeSet<Vec<String>>) -> Vec<Violation> {
    let document = Markdown::parse(file.text());
    let typed = document.blocks.iter().flat_map(shell::block_commands);
    typed.filter_map(|command| of_command(file, &command, known)).collect()
}

fn of_command(file: &File, command: &Command, known: &BTreeSet<Vec<String>>) -> Option<Violation> {
    let arguments = shell::without_flags(command.arguments_of("mangrove")?, &VALUE_FLAGS);
    let words: Vec<_> = arguments.into_iter().take_while(|word| shell::is_bare(word)).collect();
    let exists = (1..=words.len()).any(|length| {
        let beginning = words.iter().take(length).copied();
        known.iter().any(|command| beginning.clone().eq(command.iter().map(String::as_str)))
    });
    (!exists && !words.is_empty()).then(|| Violation {
        rule: "commands",
        place: file.at(command.line),
        what: format!("`mangrove {}` has no heading in {REFERENCE}", words.join(" ")),
        instead: format!("write a command that exists, or describe this one in {REFERENCE}"),
    })
}

#[cfg(test)]
mod tests {
    use super::violations;
    use crate::Tree;

    const REFERENCE: &str = "\
# The `mangrove` command
## `mangrove init`
## `mangrove put <context> <key>`
## `mangrove config show`
";

    fn check(block: &str, expect: usize) {
        let readme = format!("# Mangrove\n```sh\n{block}\n```\n");
        let tree = Tree::of(&[("README.md", &readme), ("docs/cli.md", REFERENCE)]);
        assert_eq!(violations(&tree).len(), expect, "{block}");
    }

    #[test]
    fn a_command_that_does_not_exist_is_caught() {
        check("mangrove dance", 1);
        check("$ mangrove --home /tmp/m --json dance", 1);
        check("mangrove config", 1);
        check("mangrove config dance", 1);
        check("mangrove init && mangrove dance", 1);
    }

    #[test]
    fn a_command_that_exists_is_not_caught() {
        check("mangrove init", 0);
        check("make build", 0);
        check("$ mangrove --home /tmp/m --json init --force", 0);
        check("mangrove put notes greeting '\"hello\"'", 0);
        check("mangrove --set log.level=debug config show # all of it", 0);
        check("mangrove --version", 0);
        check("mangrove <command>", 0);
        check("# mangrove dance", 0);
    }

    #[test]
    fn documents_other_than_those_to_follow_are_not_checked() {
        let block = "```sh\nmangrove dance\n```";
        let check = |path, expect| {
            assert_eq!(violations(&Tree::of(&[(path, block)])).len(), expect, "{path}");
        };
        check("docs/operating/backup.md", 1);
        check("CONTRIBUTING.md", 1);
        check("docs/cli.md", 0);
        check("CHANGELOG.md", 0);
    }
}
