//! A `make` target that a document names is one that the Makefile has.

use std::collections::BTreeSet;

use camino::Utf8Path;

use super::commands::documents;
use crate::markdown::{self, Markdown};
use crate::shell::{self, Command};
use crate::{File, Tree, Violation};

const MAKEFILE: &str = "Makefile";

/// Flags of `make` that are followed by a value.
const VALUE_FLAGS: [&str; 3] = ["-C", "-f", "-j"];

/// Documents that name an unknown target, in blocks to type or in inline code.
pub fn violations(tree: &Tree) -> Vec<Violation> {
    let makefile = tree.file(Utf8Path::new(MAKEFILE)).map(File::text).unwrap_or_default();
    let makefile = makefile.replace("\\\n", " ");
    let known: BTreeSet<_> = makefile.lines().flat_map(targets).collect();
    documents(tree).flat_map(|file| of_file(file, &known)).collect()
}

/// The targets that a line of the Makefile defines or declares phony.
fn targets(line: &str) -> Vec<&str> {
    let is_recipe = line.starts_with(char::is_whitespace);
    let Some((names, needed)) = line.split_once(':').filter(|_| !is_recipe) else {
        return Vec::new();
    };
    if names.starts_with('#')
        || names.contains('=')
        || needed.trim_start_matches(':').starts_with('=')
    {
        return Vec::new();
    }
    let phony = needed.split_whitespace().filter(|_| names.trim() == ".PHONY");
    names.split_whitespace().chain(phony).collect()
}

fn of_file(file: &File, known: &BTreeSet<&str>) -> Vec<Violation> {
    let document = Markdown::parse(file.text());
    let typed = document.blocks.iter().flat_map(shell::block_commands);
    let inline = document.prose.iter().flat_map(|(line, text)| {
        markdown::code_spans(text).flat_map(|span| shell::line_commands(*line, span))
    });
    typed.chain(inline).flat_map(|command| of_command(file, &command, known)).collect()
}

fn of_command(file: &File, command: &Command, known: &BTreeSet<&str>) -> Vec<Violation> {
    let arguments = command.arguments_of("make").unwrap_or_default();
    let wanted = shell::without_flags(arguments, &VALUE_FLAGS);
    wanted
        .into_iter()
        .filter(|word| shell::is_bare(word) && !known.contains(word))
        .map(|target| Violation {
            rule: "targets",
            place: file.at(command.line),
            what: format!("`make {target}` is no target of the Makefile"),
            instead: "name a target that exists, or add this one to the Makefile".to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::violations;
    use crate::Tree;

    const MAKEFILE: &str = "\
# note: this is a comment
.PHONY: check \\
  fmt
CARGO := cargo
OUT ::= out
all: check
build test: all
\tdance: not a target
";

    fn check(text: &str, expect: usize) {
        let tree = Tree::of(&[("README.md", text), ("Makefile", MAKEFILE)]);
        assert_eq!(violations(&tree).len(), expect, "{text}");
    }

    #[test]
    fn a_target_that_does_not_exist_is_caught() {
        check("```sh\nmake dance\n```", 1);
        check("Run `make dance` first.", 1);
        check("`make check note`", 1);
        check("`make CARGO`", 1);
    }

    #[test]
    fn a_target_that_exists_is_not_caught() {
        check("```console\n$ make build && make test # both\n```", 0);
        check("`make`, `make -j 4 all`, `make fmt V=1` and make sure.", 0);
    }

    #[test]
    fn blocks_that_are_not_to_be_typed_are_not_caught() {
        check("```text\nmake dance\n```", 0);
    }

    #[test]
    fn without_a_makefile_every_target_is_caught() {
        assert_eq!(violations(&Tree::of(&[("docs/a.md", "`make all`")])).len(), 1);
    }
}
