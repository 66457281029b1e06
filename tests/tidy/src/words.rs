//! Where a word begins and ends, in code and in prose.

/// Whether `text` has `needle` in it, not as a part of a longer word.
///
/// Only the ends of `needle` that are word characters themselves are looked at: `rand::` is found
/// before any name, but not in `strand::`.
pub(crate) fn contains(text: &str, needle: &str) -> bool {
    let (first, last) = (needle.chars().next(), needle.chars().next_back());
    text.match_indices(needle).any(|(at, _)| {
        let (before, after) = around(text, at, needle.len());
        !joins(before, first) && !joins(last, after)
    })
}

/// The characters right before and right after the `length` bytes at `at`.
pub(crate) fn around(text: &str, at: usize, length: usize) -> (Option<char>, Option<char>) {
    let before = text.get(..at).and_then(|before| before.chars().next_back());
    let after = text.get(at + length..).and_then(|after| after.chars().next());
    (before, after)
}

/// Whether `c` may be part of an identifier or a number.
pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The words that a `snake_case`, `kebab-case` or `CamelCase` name is made of, in lower case.
pub(crate) fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut before = None;
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        if !c.is_alphanumeric() || opens_part(before, c, rest.peek().copied()) {
            parts.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(part) = parts.last_mut()
        {
            part.extend(c.to_lowercase());
        }
        before = Some(c);
    }
    parts.retain(|part| !part.is_empty());
    parts
}

fn joins(left: Option<char>, right: Option<char>) -> bool {
    left.is_some_and(is_word) && right.is_some_and(is_word)
}

fn opens_part(before: Option<char>, c: char, after: Option<char>) -> bool {
    let after_acronym =
        before.is_some_and(char::is_uppercase) && after.is_some_and(char::is_lowercase);
    c.is_uppercase() && (!before.is_some_and(char::is_uppercase) || after_acronym)
}

#[cfg(test)]
mod tests {
    use super::{contains, parts};

    #[test]
    fn a_word_is_found_whole() {
        assert!(contains("use tokio::sync;", "tokio"));
        assert!(contains("x.await?", ".await"));
        assert!(contains("strand::x(); rand::y()", "rand::"));
        assert!(!contains("my_tokio", "tokio"));
        assert!(!contains("tokio_like", "tokio"));
        assert!(!contains("strand::x()", "rand::"));
        assert!(!contains("x.awaiting()", ".await"));
    }

    #[test]
    fn a_name_falls_into_its_words() {
        let check = |name, expect: &[&str]| assert_eq!(parts(name), expect, "{name}");
        check("PeerManager", &["peer", "manager"]);
        check("HTTPService", &["http", "service"]);
        check("string_utils", &["string", "utils"]);
        check("test-helpers", &["test", "helpers"]);
        check("Sha256Common", &["sha256", "common"]);
        check("_utility", &["utility"]);
        check("", &[]);
    }
}
