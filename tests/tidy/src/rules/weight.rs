//! A clone of the repository stays light.

use crate::{Tree, Violation};

const LIMIT_BYTES: u64 = 1 << 20;

/// Files over one mebibyte.
pub fn violations(tree: &Tree) -> Vec<Violation> {
    let heavy = tree.files().iter().filter(|file| file.bytes() > LIMIT_BYTES);
    heavy
        .map(|file| Violation {
            rule: "weight",
            place: file.path().to_string(),
            what: format!("has {} bytes, and the limit is {LIMIT_BYTES}", file.bytes()),
            instead: "let a script make it or fetch it, and let git ignore it".to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::violations;
    use crate::Tree;

    fn check(bytes: usize, expect: usize) {
        let tree = Tree::of(&[("a.txt", &"x".repeat(bytes))]);
        assert_eq!(violations(&tree).len(), expect, "{bytes} bytes");
    }

    #[test]
    fn a_heavy_file_is_caught() {
        check((1 << 20) + 1, 1);
    }

    #[test]
    fn a_file_at_the_limit_is_not_caught() {
        check(1 << 20, 0);
    }
}
