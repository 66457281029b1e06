//! Code as a row of words and signs, for rules about what follows what.

use super::Line;
use crate::words::is_word;

/// A word or a single sign of the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) line: usize,
    pub(crate) text: &'a str,
}

/// The tokens of the code on `lines`.
pub(crate) fn tokens(lines: &[Line]) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    for line in lines {
        let mut rest = line.code.trim_start();
        while !rest.is_empty() {
            let (text, after) = rest.split_at(length(rest));
            tokens.push(Token { line: line.number, text });
            rest = after.trim_start();
        }
    }
    tokens
}

/// The tokens up to the `close` that matches an `open` right before them.
pub(crate) fn enclosed<'s, 'a>(
    tokens: &'s [Token<'a>],
    open: &str,
    close: &str,
) -> &'s [Token<'a>] {
    let mut depth = 1_usize;
    let end = tokens.iter().position(|token| {
        if token.text == open {
            depth += 1;
        } else if token.text == close {
            depth -= 1;
        }
        depth == 0
    });
    end.and_then(|end| tokens.get(..end)).unwrap_or(tokens)
}

/// The length of the token at the beginning of `code`.
fn length(code: &str) -> usize {
    match code.find(|c| !is_word(c)) {
        Some(0) => code.chars().next().map_or(0, char::len_utf8),
        Some(end) => end,
        None => code.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::{enclosed, tokens};
    use crate::scan::lines;

    fn texts(code: &str) -> Vec<String> {
        tokens(&lines(code)).iter().map(|token| token.text.to_owned()).collect()
    }

    #[test]
    fn words_stay_whole_and_signs_stand_alone() {
        assert_eq!(
            texts("fn f_1(x: &'a str) -> u8 {}"),
            ["fn", "f_1", "(", "x", ":", "&", "'", "a", "str", ")", "-", ">", "u8", "{", "}"]
        );
    }

    #[test]
    fn a_token_knows_its_line() {
        let lines = lines("a\n\n  b // c");
        assert_eq!(tokens(&lines).iter().map(|token| token.line).collect::<Vec<_>>(), [1, 3]);
    }

    #[test]
    fn brackets_match() {
        let lines = lines("a { b } c } d");
        let tokens = tokens(&lines);
        let inside = enclosed(&tokens, "{", "}").iter().map(|token| token.text);
        assert_eq!(inside.collect::<Vec<_>>(), ["a", "{", "b", "}", "c"]);
    }
}
