//! A source file opens with the sentence that says why it exists.

use crate::{File, Tree, Violation};

/// Source files that begin with anything else; a build script's reason is its name.
pub fn violations(tree: &Tree) -> Vec<Violation> {
    tree.rust().filter(|file| !is_build_script(file) && !opens(file)).map(violation).collect()
}

fn is_build_script(file: &File) -> bool {
    file.path().file_name() == Some("build.rs")
}

fn opens(file: &File) -> bool {
    file.text().strip_prefix("//! ").is_some_and(|sentence| !sentence.starts_with('\n'))
}

fn violation(file: &File) -> Violation {
    Violation {
        rule: "opening",
        place: file.at(1),
        what: "the file does not open with its reason".to_owned(),
        instead: "begin the first line with `//! ` and a sentence that says why the file exists"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::violations;
    use crate::Tree;

    fn check(path: &str, text: &str, expect: usize) {
        assert_eq!(violations(&Tree::of(&[(path, text)])).len(), expect, "{path}: {text}");
    }

    #[test]
    fn a_file_without_its_sentence_is_caught() {
        check("a.rs", "", 1);
        check("a.rs", "// A comment.\n", 1);
        check("a.rs", "//!\n//! Late.\n", 1);
        check("a.rs", "use std::fmt;\n", 1);
        check("a.rs", "\n//! Late.\n", 1);
    }

    #[test]
    fn a_file_with_its_sentence_is_not_caught() {
        check("a.rs", "//! Why.\n", 0);
    }

    #[test]
    fn build_scripts_and_other_languages_are_not_caught() {
        check("store/build.rs", "fn main() {}", 0);
        check("a.py", "", 0);
    }
}
