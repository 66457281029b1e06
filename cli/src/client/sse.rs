//! Server-sent events: bytes in, events out.

use std::collections::VecDeque;
use std::{fmt, mem};

/// Bytes of one line, and of the data of one event. What a feed tells at once is far less.
const MOST_BYTES: usize = 16 << 20;

/// What comes first in a stream that some write so.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Something that a server told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// By what to go on after it; the last one that was told, if this has none of its own.
    pub(crate) id: Option<String>,
    /// Of which type it is, if it is of one.
    pub(crate) kind: Option<String>,
    /// What it says.
    pub(crate) data: String,
}

/// More came without an end than is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it has a line or an event of more than {MOST_BYTES} bytes")
    }
}

/// Takes bytes as they come, wherever they are cut.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// The line that has not ended.
    line: Vec<u8>,
    /// Whether what came last was a carriage return: a line feed after it ends nothing.
    is_after_return: bool,
    /// Whether a line has ended: only the first may begin with a byte order mark.
    is_begun: bool,
    id: Option<String>,
    kind: Option<String>,
    data: Option<String>,
}

impl Parser {
    /// Takes bytes, and adds the events that they end.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        events: &mut VecDeque<Event>,
    ) -> Result<(), TooLong> {
        for piece in bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            if mem::take(&mut self.is_after_return) && piece == b"\n" {
                continue;
            }
            let before = piece.strip_suffix(b"\n").or_else(|| piece.strip_suffix(b"\r"));
            self.extend(before.unwrap_or(piece))?;
            if before.is_some() {
                self.is_after_return = piece.ends_with(b"\r");
                self.end_line(events)?;
            }
        }
        Ok(())
    }

    fn extend(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        if self.line.len() + bytes.len() > MOST_BYTES {
            return Err(TooLong);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self, events: &mut VecDeque<Event>) -> Result<(), TooLong> {
        let line = mem::take(&mut self.line);
        let is_first = !self.is_begun;
        self.is_begun = true;
        let bytes = match line.strip_prefix(BYTE_ORDER_MARK) {
            Some(rest) if is_first => rest,
            _ => &line,
        };
        if bytes.is_empty() {
            events.extend(self.end_event());
            return Ok(());
        }
        let text = String::from_utf8_lossy(bytes);
        let (name, value) = text.split_once(':').unwrap_or((&text, ""));
        self.field(name, value.strip_prefix(' ').unwrap_or(value))
    }

    /// An event is over. Without data it was none.
    fn end_event(&mut self) -> Option<Event> {
        let kind = self.kind.take();
        let data = self.data.take()?;
        Some(Event { id: self.id.clone(), kind, data })
    }

    /// Fields that are not known are passed over, and so are comments, whose name is empty.
    fn field(&mut self, name: &str, value: &str) -> Result<(), TooLong> {
        match name {
            "data" => {
                let has_more = self.data.is_some();
                let data = self.data.get_or_insert_default();
                if has_more {
                    data.push('\n');
                }
                if data.len() + value.len() > MOST_BYTES {
                    return Err(TooLong);
                }
                data.push_str(value);
            }
            "event" => self.kind = Some(value.to_owned()).filter(|kind| !kind.is_empty()),
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: Option<&str>, kind: Option<&str>, data: &str) -> Event {
        let owned = |text: &str| text.to_owned();
        Event { id: id.map(owned), kind: kind.map(owned), data: data.to_owned() }
    }

    /// The events of a text, which are the same wherever it is cut.
    #[track_caller]
    fn check(text: &[u8], expect: &[Event]) {
        for size in 1..=text.len().max(1) {
            let (mut parser, mut found) = (Parser::default(), VecDeque::new());
            for chunk in text.chunks(size) {
                parser.take(chunk, &mut found).unwrap();
            }
            assert_eq!(found, expect, "in pieces of {size}");
        }
    }

    #[test]
    fn events_end_with_an_empty_line() {
        check(b"", &[]);
        check(b"data: a", &[]);
        check(b"data: a\n", &[]);
        check(b"data: a\n\n", &[event(None, None, "a")]);
        check(b"data: a\n\n\n\ndata: b\n\n", &[event(None, None, "a"), event(None, None, "b")]);
    }

    #[test]
    fn lines_end_as_they_may() {
        let expect = [event(Some("1"), None, "a\nb"), event(Some("1"), None, "c")];
        check(b"id: 1\ndata: a\ndata: b\n\ndata: c\n\n", &expect);
        check(b"id: 1\r\ndata: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n", &expect);
        check(b"id: 1\rdata: a\rdata: b\r\rdata: c\r\r", &expect);
        check(b"id: 1\rdata: a\ndata: b\r\n\rdata: c\n\r\n", &expect);
    }

    #[test]
    fn fields_are_told_apart() {
        let text = b": still here\nevent: x\nid:7\nretry: 5\nunknown: y\ndata:{\"a\": 1}\ndata\n\n";
        check(text, &[event(Some("7"), Some("x"), "{\"a\": 1}\n")]);
        check(b"data:  two\n\n", &[event(None, None, " two")]);
        check(b"data\n\n", &[event(None, None, "")]);
        check(b"event: x\n\ndata: y\n\n", &[event(None, None, "y")]);
        check(b"id: a\0b\ndata: y\n\n", &[event(None, None, "y")]);
        check(b"id: 1\n\nid\ndata: y\n\n", &[event(Some(""), None, "y")]);
    }

    #[test]
    fn letters_that_are_cut_come_whole_and_a_mark_is_passed_over_at_the_beginning_alone() {
        check("data: grün ✓\n\n".as_bytes(), &[event(None, None, "grün ✓")]);
        check(b"\xef\xbb\xbfdata: a\n\n", &[event(None, None, "a")]);
        check(b"data: a\n\n\xef\xbb\xbfdata: b\n\n", &[event(None, None, "a")]);
        check(b"data: \xff\n\n", &[event(None, None, "\u{fffd}")]);
    }

    #[test]
    fn what_does_not_end_is_not_kept() {
        let (mut parser, mut found) = (Parser::default(), VecDeque::new());
        let chunk = vec![b'a'; MOST_BYTES];
        assert_eq!(parser.take(&chunk, &mut found), Ok(()));
        assert_eq!(parser.take(b"a", &mut found), Err(TooLong));
        let mut parser = Parser::default();
        let line = [b"data: ", chunk.split_at(MOST_BYTES / 2).0, b"\n"].concat();
        assert_eq!(parser.take(&line, &mut found), Ok(()));
        assert_eq!(parser.take(&line, &mut found), Err(TooLong));
        assert!(found.is_empty());
    }
}
