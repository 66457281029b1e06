//! Words of others, as they may be shown.
//!
//! Names, keys and values come from other members. What a terminal would obey is written out, so that nobody can
//! move a reader's cursor or hide what stands there.

/// The text with everything written out that a terminal would obey.
pub(crate) fn printable(text: &str) -> String {
    if !text.chars().any(is_obeyed) {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match is_obeyed(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}

/// Whether a terminal takes it for more than a letter: controls, and what turns the direction of writing.
fn is_obeyed(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text, or as much of its beginning as fits, with a mark where it is cut.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut beginning = text.chars().take(width.saturating_sub(1)).collect::<String>();
    beginning.push('…');
    beginning
}

/// The beginning of an id, by which commands know it too.
pub(crate) fn short(id: &str) -> &str {
    id.get(..10).unwrap_or(id)
}

/// The end of a peer's id, since all begin alike.
pub(crate) fn tail(peer: &str) -> String {
    match peer.len().checked_sub(8).and_then(|at| peer.get(at..)) {
        Some(end) if peer.len() > 12 => format!("…{end}"),
        _ => printable(peer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_written_out() {
        assert_eq!(printable("größer ✓"), "größer ✓");
        assert_eq!(printable("a\x1b[2Jb\n"), "a\\u{1b}[2Jb\\n");
        assert_eq!(printable("\u{9b}1m\u{202e}x"), "\\u{9b}1m\\u{202e}x");
    }

    #[test]
    fn what_does_not_fit_is_cut_with_a_mark() {
        assert_eq!(cut("größer", 6), "größer");
        assert_eq!(cut("größer", 5), "größ…");
        assert_eq!(cut("x", 0), "…");
        assert_eq!(cut("", 0), "");
    }

    #[test]
    fn ids_are_told_by_what_tells_them_apart() {
        assert_eq!(short("abcdefghijklmnop"), "abcdefghij");
        assert_eq!(short("abc"), "abc");
        assert_eq!(tail("12D3KooWabcdefghijkl"), "…efghijkl");
        assert_eq!(tail("me"), "me");
    }
}
