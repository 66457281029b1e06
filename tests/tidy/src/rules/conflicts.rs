//! No merge is left half done.

use crate::{File, Tree, Violation};

/// What git writes around the two sides; the line between them is a heading in Markdown.
const MARKERS: [&str; 3] = ["<<<<<<< ", "||||||| ", ">>>>>>> "];

/// Lines that a merge has left behind.
pub fn violations(tree: &Tree) -> Vec<Violation> {
    tree.files().iter().flat_map(of_file).collect()
}

fn of_file(file: &File) -> Vec<Violation> {
    file.lines()
        .filter(|(_, line)| MARKERS.iter().any(|marker| line.starts_with(marker)))
        .map(|(number, _)| Violation {
            rule: "conflicts",
            place: file.at(number),
            what: "a merge conflict was committed".to_owned(),
            instead: "decide between the two sides, and take out the markers".to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::violations;
    use crate::Tree;

    fn check(text: &str, expect: usize) {
        assert_eq!(violations(&Tree::of(&[("a.md", text)])).len(), expect, "{text}");
    }

    #[test]
    fn a_conflict_is_caught() {
        check("a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> topic\n", 2);
    }

    #[test]
    fn a_heading_or_a_shift_is_not_caught() {
        check("Title\n=======\nx <<<<<<< y\n<<<<<<<<<\n", 0);
    }
}
