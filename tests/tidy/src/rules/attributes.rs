//! An attribute that silences something says why, and no test is switched off.

use crate::scan::Attribute;
use crate::{File, Tree, Violation, scan};

/// Attributes that silence more than they say.
pub fn violations(tree: &Tree) -> Vec<Violation> {
    tree.rust().flat_map(of_file).collect()
}

fn of_file(file: &File) -> Vec<Violation> {
    let lines = scan::lines(file.text());
    let tokens = scan::tokens(&lines);
    let attributes = scan::attributes(&tokens);
    attributes.iter().filter_map(|attribute| of_attribute(file, attribute)).collect()
}

fn of_attribute(file: &File, attribute: &Attribute<'_, '_>) -> Option<Violation> {
    let (what, instead) = complaint(attribute)?;
    Some(Violation {
        rule: "attributes",
        place: file.at(attribute.line),
        what: what.to_owned(),
        instead: instead.to_owned(),
    })
}

fn complaint(attribute: &Attribute<'_, '_>) -> Option<(&'static str, &'static str)> {
    if attribute.is("allow") {
        Some(("`allow`", "write `#[expect(lint, reason = \"…\")]`, which tells when it is done"))
    } else if attribute.is("expect") && !attribute.mentions("reason") {
        Some(("`expect` without a reason", "add `reason = \"…\"`"))
    } else if attribute.is("ignore") {
        Some(("an ignored test", "mend it or delete it; a slow one gets a nextest profile"))
    } else if attribute.is("should_panic") && !attribute.mentions("expected") {
        Some(("`should_panic` at anything", "add `expected = \"…\"`, or return an error"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::violations;
    use crate::Tree;

    fn check(text: &str, expect: usize) {
        assert_eq!(violations(&Tree::of(&[("a.rs", text)])).len(), expect, "{text}");
    }

    #[test]
    fn an_attribute_that_silences_is_caught() {
        check("#[allow(dead_code)] fn f() {}", 1);
        check("#![allow(dead_code, reason = \"because\")]", 1);
        check("#[cfg_attr(test, allow(dead_code))]", 1);
        check("#[expect(\n    dead_code\n)]\nlet reason = 1;", 1);
        check("#[test]\n#[ignore]\nfn f() {}", 1);
        check("#[ignore = \"slow\"]", 1);
        check("#[should_panic]", 1);
    }

    #[test]
    fn an_attribute_that_says_why_is_not_caught() {
        check("#[expect(\n    dead_code,\n    reason = \"because\"\n)]", 0);
        check("#[should_panic(expected = \"because\")]", 0);
    }

    #[test]
    fn what_only_looks_like_an_attribute_is_not_caught() {
        check("// #[allow(dead_code)]\nlet s = \"#[ignore]\"; allow(x); y.expect(z)", 0);
        check("#[deny(dead_code)] #[derive(Debug)] struct S;", 0);
    }
}
