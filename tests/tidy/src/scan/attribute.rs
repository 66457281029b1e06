//! The attributes of Rust code, whole even if they span lines.

use super::{Token, enclosed};

/// What is between the brackets of `#[…]` or `#![…]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attribute<'s, 'a> {
    /// Where it begins.
    pub(crate) line: usize,
    tokens: &'s [Token<'a>],
}

/// Every attribute of the code.
pub(crate) fn attributes<'s, 'a>(tokens: &'s [Token<'a>]) -> Vec<Attribute<'s, 'a>> {
    let mut found = Vec::new();
    let mut rest = tokens;
    while let [first, after @ ..] = rest {
        if first.text == "#"
            && let Some(inside) = bracketed(after)
        {
            found.push(Attribute { line: first.line, tokens: enclosed(inside, "[", "]") });
        }
        rest = after;
    }
    found
}

impl Attribute<'_, '_> {
    /// Whether this is the attribute `name`, at all times or under a condition.
    pub(crate) fn is(&self, name: &str) -> bool {
        let first = self.tokens.first().map(|token| token.text);
        first == Some(name) || (first == Some("cfg_attr") && self.mentions(name))
    }

    /// Whether `word` is anywhere in it.
    pub(crate) fn mentions(&self, word: &str) -> bool {
        self.tokens.iter().any(|token| token.text == word)
    }
}

fn bracketed<'s, 'a>(after_hash: &'s [Token<'a>]) -> Option<&'s [Token<'a>]> {
    match after_hash {
        [bracket, inside @ ..] if bracket.text == "[" => Some(inside),
        [bang, bracket, inside @ ..] if bang.text == "!" && bracket.text == "[" => Some(inside),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::attributes;
    use crate::scan::{lines, tokens};

    #[test]
    fn an_attribute_is_seen_whole_from_its_first_line() {
        let lines =
            lines("x\n#![expect(\n    dead_code,\n    reason = \"because\"\n)]\ny = reason;");
        let tokens = tokens(&lines);
        let found = attributes(&tokens);
        assert_eq!(found.len(), 1);
        assert!(found.iter().all(|it| it.line == 2 && it.is("expect") && it.mentions("reason")));
    }

    #[test]
    fn a_condition_does_not_hide_an_attribute() {
        let lines = lines("#[cfg_attr(test, allow(dead_code))] #[derive(Debug)] fn allow() {}");
        let tokens = tokens(&lines);
        let found = attributes(&tokens);
        assert_eq!(found.iter().filter(|it| it.is("allow")).count(), 1);
        assert_eq!(found.iter().filter(|it| it.is("derive")).count(), 1);
    }
}
