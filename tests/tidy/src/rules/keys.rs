//! No file holds a private key.

use super::paths::SELF;
use crate::{File, Tree, Violation};

/// Files with the beginning of a private key in them.
pub fn violations(tree: &Tree) -> Vec<Violation> {
    let checked = tree.files().iter().filter(|file| !file.path().starts_with(SELF));
    checked.flat_map(of_file).collect()
}

fn of_file(file: &File) -> Vec<Violation> {
    file.lines()
        .filter(|(_, line)| begins_key(line))
        .map(|(number, _)| Violation {
            rule: "keys",
            place: file.at(number),
            what: "a private key begins here".to_owned(),
            instead: "take it out, replace the key wherever it is in use, and let tests make \
                      their own"
                .to_owned(),
        })
        .collect()
}

/// Whether `line` has `BEGIN`, at most the name of an algorithm, and `PRIVATE KEY`.
fn begins_key(line: &str) -> bool {
    line.split("BEGIN ").skip(1).any(|after| {
        after.split_once("PRIVATE KEY").is_some_and(|(name, _)| {
            name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == ' ')
        })
    })
}

#[cfg(test)]
mod tests {
    use super::violations;
    use crate::Tree;

    fn check(text: &str, expect: usize) {
        assert_eq!(violations(&Tree::of(&[("a.pem", text)])).len(), expect, "{text}");
    }

    #[test]
    fn a_private_key_is_caught() {
        check("-----BEGIN PRIVATE KEY-----", 1);
        check("-----BEGIN OPENSSH PRIVATE KEY-----", 1);
        check("-----BEGIN RSA PRIVATE KEY-----", 1);
    }

    #[test]
    fn a_public_key_or_talk_of_keys_is_not_caught() {
        check("-----BEGIN PUBLIC KEY-----", 0);
        check("BEGIN by reading what a PRIVATE KEY is.", 0);
    }
}
