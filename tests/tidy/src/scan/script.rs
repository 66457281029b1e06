//! Comments of the languages that only need a marker: shell, Python, Make, TOML, JavaScript.

use crate::File;

/// What opens a comment in the language of `file`, if it is one of those known here.
pub(crate) fn marker(file: &File) -> Option<&'static str> {
    match file.path().extension() {
        Some("sh" | "bash" | "py" | "toml" | "yml" | "yaml" | "mk") => Some("#"),
        Some("js" | "mjs" | "ts") => Some("//"),
        Some(_) => None,
        None if file.text().starts_with("#!") => Some("#"),
        None => matches!(file.path().file_name(), Some("Makefile" | "Dockerfile")).then_some("#"),
    }
}

/// The text of the comment on `line`, if it has one.
pub(crate) fn comment<'a>(line: &'a str, marker: &str) -> Option<&'a str> {
    after_marker(line, marker).or_else(|| inside_block(line).filter(|_| marker == "//"))
}

/// What follows the first marker that begins a word outside of quotes.
fn after_marker<'a>(line: &'a str, marker: &str) -> Option<&'a str> {
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        let begins = quote.is_none() && before.is_whitespace();
        let comment = line.get(at..).and_then(|rest| rest.strip_prefix(marker));
        if begins && comment.is_some() {
            return comment;
        }
        quote = match quote {
            None if matches!(c, '"' | '\'' | '`') => Some(c),
            Some(open) if open == c && before != '\\' => None,
            unchanged => unchanged,
        };
        before = c;
    }
    None
}

/// What a line of a block comment says, by the custom of beginning each with a star.
fn inside_block(line: &str) -> Option<&str> {
    let line = line.trim_start();
    line.strip_prefix("/*").or_else(|| line.strip_prefix("* "))
}

#[cfg(test)]
mod tests {
    use super::{comment, marker};
    use crate::Tree;
    use camino::Utf8Path;

    #[test]
    fn a_comment_begins_at_a_marker_that_begins_a_word() {
        let check = |line, marker, expect| assert_eq!(comment(line, marker), expect, "{line}");
        check("make all # everything", "#", Some(" everything"));
        check("# why", "#", Some(" why"));
        check("echo ${#words} a#b '# c' \"# d\"", "#", None);
        check("fetch('http://host') // why", "//", Some(" why"));
        check("fetch('// no')", "//", None);
        check("   * in a block", "//", Some("in a block"));
        check("   * in a list", "#", None);
    }

    #[test]
    fn a_language_is_known_by_its_ending_its_name_or_its_first_line() {
        let check = |path, text, expect| {
            let tree = Tree::of(&[(path, text)]);
            assert_eq!(marker(tree.file(Utf8Path::new(path)).unwrap()), expect, "{path}");
        };
        check("a.toml", "", Some("#"));
        check("a.mjs", "", Some("//"));
        check("Makefile", "", Some("#"));
        check(".ci/run", "#!/bin/sh", Some("#"));
        check("LICENSE", "", None);
        check("a.md", "#!", None);
    }
}
