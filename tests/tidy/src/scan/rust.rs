//! Rust source, line by line: what is code and what is said beside it.

use super::{Comment, CommentKind};
use crate::words::is_word;

/// A line of Rust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Counted from one.
    pub(crate) number: usize,
    /// The code, where literals of text have lost what is between their quotes.
    pub(crate) code: String,
    pub(crate) comments: Vec<Comment>,
}

/// Takes Rust source apart.
pub(crate) fn lines(text: &str) -> Vec<Line> {
    let mut scanner =
        Scanner { rest: text, state: State::Code, line: Line::new(1), lines: Vec::new() };
    scanner.run();
    scanner.lines
}

impl Line {
    fn new(number: usize) -> Self {
        Self { number, code: String::new(), comments: Vec::new() }
    }

    fn open_comment(&mut self, kind: CommentKind) {
        self.comments.push(Comment { kind, text: String::new() });
    }

    fn comment(&mut self, text: &str) {
        if let Some(comment) = self.comments.last_mut() {
            comment.text.push_str(text);
        }
    }
}

#[derive(Clone, Copy)]
enum State {
    Code,
    LineComment,
    BlockComment { kind: CommentKind, depth: usize },
    Text,
    RawText { hashes: usize },
}

struct Scanner<'a> {
    rest: &'a str,
    state: State,
    line: Line,
    lines: Vec<Line>,
}

impl Scanner<'_> {
    fn run(&mut self) {
        while !self.rest.is_empty() {
            if self.skip("\n") {
                self.end_line();
                continue;
            }
            match self.state {
                State::Code => self.code(),
                State::LineComment => self.line_comment(),
                State::BlockComment { kind, depth } => self.block_comment(kind, depth),
                State::Text => self.text(),
                State::RawText { hashes } => self.raw_text(hashes),
            }
        }
        if self.line != Line::new(self.line.number) {
            self.end_line();
        }
    }

    fn end_line(&mut self) {
        let next = Line::new(self.line.number + 1);
        self.lines.push(std::mem::replace(&mut self.line, next));
        match self.state {
            State::LineComment => self.state = State::Code,
            State::BlockComment { kind, .. } => self.line.open_comment(kind),
            State::Code | State::Text | State::RawText { .. } => {}
        }
    }

    fn code(&mut self) {
        if self.rest.starts_with("//") {
            self.open_line_comment();
        } else if self.rest.starts_with("/*") {
            self.open_block_comment();
        } else if self.skip("\"") {
            self.line.code.push('"');
            self.state = State::Text;
        } else if self.skip("'") {
            self.quote();
        } else if self.rest.starts_with(is_word) {
            self.word();
        } else {
            let next = self.next();
            self.line.code.extend(next);
        }
    }

    fn open_line_comment(&mut self) {
        let doc = self.rest.starts_with("//!")
            || (self.rest.starts_with("///") && !self.rest.starts_with("////"));
        let kind = if doc { CommentKind::Doc } else { CommentKind::Plain };
        self.advance(if doc { 3 } else { 2 });
        self.line.open_comment(kind);
        self.state = State::LineComment;
    }

    fn open_block_comment(&mut self) {
        let ordinary = self.rest.starts_with("/***") || self.rest.starts_with("/**/");
        let doc = self.rest.starts_with("/*!") || (self.rest.starts_with("/**") && !ordinary);
        let kind = if doc { CommentKind::Doc } else { CommentKind::Plain };
        self.advance(if doc { 3 } else { 2 });
        self.line.open_comment(kind);
        self.state = State::BlockComment { kind, depth: 1 };
    }

    /// After a `'`: the rest of a character literal, or nothing if a lifetime begins here.
    fn quote(&mut self) {
        self.line.code.push('\'');
        let mut ahead = self.rest.chars();
        let (first, second) = (ahead.next(), ahead.next());
        if first != Some('\\') && second != Some('\'') {
            return;
        }
        self.next();
        if first == Some('\\') {
            self.next();
        }
        let literal = self.rest.find(['\'', '\n']).unwrap_or(self.rest.len());
        self.advance(literal);
        if self.skip("'") {
            self.line.code.push('\'');
        }
    }

    fn word(&mut self) {
        let end = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.line.code.push_str(word);
        self.rest = rest;
        let quoted = rest.trim_start_matches('#');
        if matches!(word, "r" | "br" | "cr") && quoted.starts_with('"') {
            self.state = State::RawText { hashes: rest.len() - quoted.len() };
            self.line.code.push('"');
            self.rest = quoted;
            self.advance(1);
        }
    }

    fn line_comment(&mut self) {
        let end = self.rest.find('\n').unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        self.line.comment(text);
        self.rest = rest;
    }

    fn block_comment(&mut self, kind: CommentKind, depth: usize) {
        if self.skip("/*") {
            self.state = State::BlockComment { kind, depth: depth + 1 };
        } else if self.skip("*/") {
            self.state = match depth {
                1 => State::Code,
                _ => State::BlockComment { kind, depth: depth - 1 },
            };
        } else if let Some(c) = self.next() {
            self.line.comment(c.encode_utf8(&mut [0; 4]));
        }
    }

    fn text(&mut self) {
        if self.skip("\"") {
            self.line.code.push('"');
            self.state = State::Code;
        } else if !self.skip("\\") || !self.rest.starts_with('\n') {
            self.next();
        }
    }

    fn raw_text(&mut self, hashes: usize) {
        let after_quote = self.rest.strip_prefix('"');
        let closed = after_quote.and_then(|rest| rest.strip_prefix("#".repeat(hashes).as_str()));
        if let Some(rest) = closed {
            self.rest = rest;
            self.line.code.push('"');
            self.state = State::Code;
        } else {
            self.next();
        }
    }

    fn skip(&mut self, prefix: &str) -> bool {
        let rest = self.rest.strip_prefix(prefix);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn next(&mut self) -> Option<char> {
        let mut rest = self.rest.chars();
        let next = rest.next();
        self.rest = rest.as_str();
        next
    }

    fn advance(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::{Comment, CommentKind, lines};

    fn code(text: &str) -> Vec<String> {
        lines(text).into_iter().map(|line| line.code).collect()
    }

    fn comments(text: &str) -> Vec<(usize, CommentKind, String)> {
        let mut found = Vec::new();
        for line in lines(text) {
            for Comment { kind, text } in line.comments {
                found.push((line.number, kind, text));
            }
        }
        found
    }

    #[test]
    fn literals_lose_their_text_and_keep_their_quotes() {
        let check = |text, expect: &[&str]| assert_eq!(code(text), expect, "{text}");
        check(r#"f("// not a comment", 1)"#, &[r#"f("", 1)"#]);
        check(r#"f("a \" b", 1)"#, &[r#"f("", 1)"#]);
        check("f(r#\"a \" // b\"#, 1)", &["f(r\"\", 1)"]);
        check(r#"f(b"x", br"\", c"y")"#, &[r#"f(b"", br"", c"")"#]);
        check("let s = \"a\\\n  b\";\nnext", &["let s = \"", "\";", "next"]);
    }

    #[test]
    fn a_quote_opens_a_character_or_a_lifetime() {
        let check = |text, expect: &str| assert_eq!(code(text), [expect], "{text}");
        check(r#"('"', x) // "y""#, "('', x) ");
        check(r"('\'', '\\', '\u{1F333}', b'\n')", "('', '', '', b'')");
        check("fn f<'a, 'b>(x: &'a str) {}", "fn f<'a, 'b>(x: &'a str) {}");
        check("'outer: loop { break 'outer; }", "'outer: loop { break 'outer; }");
    }

    #[test]
    fn a_raw_identifier_is_not_a_raw_text() {
        assert_eq!(code("r#type = 1; // x"), ["r#type = 1; "]);
    }

    #[test]
    fn comments_know_whom_they_speak_to() {
        let check = |text, kind, said: &str| {
            assert_eq!(comments(text), [(1, kind, said.to_owned())], "{text}");
        };
        check("x // y", CommentKind::Plain, " y");
        check("//// y", CommentKind::Plain, "// y");
        check("/// y", CommentKind::Doc, " y");
        check("//! y", CommentKind::Doc, " y");
        check("/* y */ x", CommentKind::Plain, " y ");
        check("/** y */", CommentKind::Doc, " y ");
        check("/*! y */", CommentKind::Doc, " y ");
        check("/**/ x", CommentKind::Plain, "");
    }

    #[test]
    fn a_block_comment_nests_and_spans_lines() {
        let text = "a /* one /* two */\nthree */ b";
        assert_eq!(code(text), ["a ", " b"]);
        assert_eq!(
            comments(text),
            [
                (1, CommentKind::Plain, " one  two ".to_owned()),
                (2, CommentKind::Plain, "three ".to_owned())
            ]
        );
    }
}
