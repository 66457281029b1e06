//! A comment says why, in words that read the same in a year.

use crate::{File, Tree, Violation, scan, words};

/// Words that put work off.
const PROMISES: [&str; 4] = ["TODO", "FIXME", "XXX", "HACK"];

/// Words that tell the history of the code instead of its reason.
const NARRATION: [&str; 3] = ["previously", "used to be", "refactored"];

/// Comments that point to a tracker, put work off or narrate changes.
pub fn violations(tree: &Tree) -> Vec<Violation> {
    tree.files().iter().flat_map(of_file).collect()
}

fn of_file(file: &File) -> Vec<Violation> {
    let rust = file.path().extension() == Some("rs");
    let mut found = Vec::new();
    for (line, comment) in scan::comments(file) {
        let violation = |what: &str, instead: &str| Violation {
            rule: "comments",
            place: file.at(line),
            what: format!("a comment {what}"),
            instead: instead.to_owned(),
        };
        if names_issue(&comment.text) {
            found.push(violation("names an issue", "say the reason itself; trackers move away"));
        }
        if let Some(word) = promise(&comment.text) {
            let what = format!("says `{word}`");
            found.push(violation(&what, "do it, or write it down where work is planned"));
        }
        if let Some(word) = narration(&comment.text).filter(|_| rust) {
            let what = format!("says `{word}`");
            found.push(violation(&what, "say what holds; git remembers what has changed"));
        }
    }
    found
}

fn promise(text: &str) -> Option<&'static str> {
    PROMISES.into_iter().find(|word| words::contains(text, word))
}

fn narration(text: &str) -> Option<&'static str> {
    let text = text.to_lowercase();
    NARRATION.into_iter().find(|word| words::contains(&text, word))
}

fn names_issue(text: &str) -> bool {
    let lower = text.to_lowercase();
    let numbered = |before: &str| {
        lower.match_indices(before).any(|(at, _)| {
            let begins = !words::around(&lower, at, before.len()).0.is_some_and(words::is_word);
            begins && lower.get(at + before.len()..).is_some_and(begins_with_number)
        })
    };
    hash_and_number(text) || ["gh-", "issue ", "issues "].into_iter().any(numbered)
}

/// Whether there is a `#` and a number, but not as a part of a format or an HTML entity.
fn hash_and_number(text: &str) -> bool {
    text.match_indices('#').any(|(at, _)| {
        let before = words::around(text, at, 1).0;
        let reference = before.is_none_or(|c| c.is_whitespace() || "([,".contains(c))
            || before.is_some_and(words::is_word);
        reference && text.get(at + 1..).is_some_and(begins_with_number)
    })
}

fn begins_with_number(text: &str) -> bool {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.len() < text.len() && !rest.starts_with(words::is_word)
}

#[cfg(test)]
mod tests {
    use super::violations;
    use crate::Tree;

    fn check(path: &str, text: &str, expect: usize) {
        assert_eq!(violations(&Tree::of(&[(path, text)])).len(), expect, "{path}: {text}");
    }

    #[test]
    fn an_issue_number_is_caught() {
        check("a.rs", "// See #123.", 1);
        check("a.rs", "/// Works around (#7).", 1);
        check("a.rs", "//! As in actix/actix#12", 1);
        check("a.rs", "x(); /* GH-123 */", 1);
        check("a.rs", "// Mends issue 12", 1);
        check("ci.sh", "true # for #123", 1);
        check("a.py", "# see issue 9", 1);
        check("a.js", "f(); // see #123", 1);
        check("Cargo.toml", "a = 1 # see #123", 1);
        check("Makefile", "# see #123\nall:", 1);
    }

    #[test]
    fn a_number_that_names_no_issue_is_not_caught() {
        check("a.rs", "#[derive(Debug)]\nstruct S; let s = \"see #123\";", 0);
        check("a.rs", "// `{:#06}` and &#39; and #12ab and the issue of 12 deltas", 0);
        check("a.rs", "// high-5 and reissue 12", 0);
        check("a.sh", "echo \"#123\" $#1", 0);
        check("a.md", "# 1\nsee #123", 0);
    }

    #[test]
    fn a_promise_is_caught() {
        check("a.rs", "// TODO: more", 1);
        check("a.rs", "/// FIXME", 1);
        check("a.sh", "true # XXX", 1);
        check("a.js", "// HACK", 1);
    }

    #[test]
    fn a_lookalike_of_a_promise_is_not_caught() {
        check("a.rs", "// A todo list; HACKING.md; mktemp -t x.XXXXXX", 0);
        check("a.rs", "todo(TODO)", 0);
    }

    #[test]
    fn narration_is_caught() {
        check("a.rs", "// Previously a list.", 1);
        check("a.rs", "/// This used to be a map.", 1);
        check("a.rs", "//! It used to be a map.", 1);
        check("a.rs", "/* refactored */", 1);
    }

    #[test]
    fn what_only_sounds_like_narration_is_not_caught() {
        check("a.rs", "// The key is used to bear witness; waits no long time.", 0);
        check("a.rs", "let s = \"used to be\";", 0);
        check("a.rs", "//! What no longer fits is shed.", 0);
    }
}
