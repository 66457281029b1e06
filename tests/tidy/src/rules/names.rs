//! A name says what a thing is, not that it is a thing.

use crate::scan::{Token, enclosed};
use crate::{File, Tree, Violation, scan, words};

/// Words that fit anything, and so tell nothing.
const EMPTY: [&str; 8] =
    ["manager", "service", "util", "utils", "common", "helper", "helpers", "primitives"];

/// Words that the name of something new follows.
const DEFINERS: [&str; 7] = ["struct", "enum", "trait", "type", "fn", "mod", "union"];

const INSTEAD: &str = "name the one thing that it is or does, and let the path say the rest";

/// Definitions, files and folders with an empty word in their name.
pub fn violations(tree: &Tree) -> Vec<Violation> {
    tree.rust().flat_map(|file| of_path(file).into_iter().chain(of_code(file))).collect()
}

fn of_path(file: &File) -> Option<Violation> {
    let path = file.path().with_extension("");
    let word = path.components().find_map(|part| empty_word(part.as_str()))?;
    Some(Violation {
        rule: "names",
        place: file.path().to_string(),
        what: format!("the path says `{word}`"),
        instead: INSTEAD.to_owned(),
    })
}

fn of_code(file: &File) -> Vec<Violation> {
    let lines = scan::lines(file.text());
    let tokens = scan::tokens(&lines);
    let mut found = Vec::new();
    let mut rest = tokens.as_slice();
    while let [first, after @ ..] = rest {
        rest = after;
        if first.text == "impl" {
            rest = past_trait(after).unwrap_or(after);
        } else if DEFINERS.contains(&first.text) {
            found.extend(after.first().and_then(|name| of_definition(file, name)));
        }
    }
    found
}

fn of_definition(file: &File, name: &Token<'_>) -> Option<Violation> {
    let word = empty_word(name.text)?;
    Some(Violation {
        rule: "names",
        place: file.at(name.line),
        what: format!("`{}` says `{word}`", name.text),
        instead: INSTEAD.to_owned(),
    })
}

/// What comes after `impl Trait for Type { … }`, where the names are the trait's and not ours.
fn past_trait<'s, 'a>(after_impl: &'s [Token<'a>]) -> Option<&'s [Token<'a>]> {
    let end = after_impl.iter().position(|token| matches!(token.text, "{" | ";"))?;
    let (header, body) = after_impl.split_at(end);
    let of_trait = header
        .windows(2)
        .any(|pair| matches!(pair, [first, second] if first.text == "for" && second.text != "<"));
    let (open, inside) = body.split_first().filter(|_| of_trait)?;
    inside.get(enclosed(inside, "{", "}").len()..).filter(|_| open.text == "{")
}

fn empty_word(name: &str) -> Option<String> {
    words::parts(name).into_iter().find(|part| EMPTY.contains(&part.as_str()))
}

#[cfg(test)]
mod tests {
    use super::violations;
    use crate::Tree;

    fn check(path: &str, text: &str, expect: usize) {
        assert_eq!(violations(&Tree::of(&[(path, text)])).len(), expect, "{path}: {text}");
    }

    #[test]
    fn an_empty_word_in_a_definition_is_caught() {
        check("a.rs", "pub struct PeerManager;", 1);
        check("a.rs", "enum ServiceKind {}", 1);
        check("a.rs", "trait Helper {}", 1);
        check("a.rs", "type Primitives = u8;", 1);
        check("a.rs", "fn\n    string_util() {}", 1);
        check("a.rs", "impl Peer { fn helper(&self) {} }", 1);
        check("a.rs", "#[cfg(test)] mod common { }", 1);
        check("a.rs", "impl Copy for Peer {}\nstruct DeltaHelpers;", 1);
        check("a.rs", "fn f(x: impl for<'a> Fn(&'a u8)) { fn utils() {} }", 1);
    }

    #[test]
    fn an_empty_word_in_a_path_is_caught() {
        check("node/src/utils.rs", "", 1);
        check("node/tests/common/mod.rs", "", 1);
    }

    #[test]
    fn a_word_that_only_contains_one_is_not_caught() {
        check("a.rs", "struct Utility; fn uncommonly() {} mod serviced {}", 0);
        check("a.rs", "let manager = Manager::new(); // struct Manager\n\"struct Manager\"", 0);
        check("docs/service.md", "struct Manager", 0);
    }

    #[test]
    fn a_name_that_a_foreign_trait_asks_for_is_not_caught() {
        check(
            "a.rs",
            "impl<S> Transform<S> for Gate { type Service = S; fn service(&self) {} }",
            0,
        );
        check("a.rs", "fn f(call: fn(usize)) -> impl Service { }", 0);
    }
}
