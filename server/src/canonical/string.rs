//! Strings, read with every escape that JSON has and written with those that RFC 8785 leaves.

use super::Unfit;
use super::path::Name;
use super::reader::Reader;

/// Writes a string: no escapes but those that must be.
pub(super) fn write(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            ..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

impl Reader<'_> {
    /// Reads a string, and puts what it says behind the names.
    pub(super) fn string(&mut self, expected: &'static str) -> Result<Name, Unfit> {
        if !self.takes('"') {
            return Err(self.malformed(expected));
        }
        let start = self.names.len();
        loop {
            self.run();
            if self.takes('"') {
                return Ok(Name { start, end: self.names.len() });
            }
            let c = self.escape()?;
            self.names.push(c);
        }
    }

    /// Reads what stands for itself.
    fn run(&mut self) {
        let special = |byte: u8| matches!(byte, b'"' | b'\\' | ..0x20);
        let end = self.rest.bytes().position(special).unwrap_or(self.rest.len());
        if let Some((run, rest)) = self.rest.split_at_checked(end) {
            self.names.push_str(run);
            self.rest = rest;
        }
    }

    fn escape(&mut self) -> Result<char, Unfit> {
        let at = self.at();
        if !self.takes('\\') {
            let is_end = self.rest.is_empty();
            let expected =
                if is_end { "a closing `\"`" } else { "an escape, as `\\n` for a new line" };
            return Err(self.malformed(expected));
        }
        if self.takes('u') {
            return self.unicode(at);
        }
        let mut rest = self.rest.chars();
        let c = match rest.next() {
            Some(c @ ('"' | '\\' | '/')) => c,
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            _ => return Err(self.malformed("one of `\"\\/bfnrtu`")),
        };
        self.rest = rest.as_str();
        Ok(c)
    }

    /// Reads the code unit, or the two of a pair, of an escape that began at `at`.
    fn unicode(&mut self, at: usize) -> Result<char, Unfit> {
        let first = self.unit()?;
        let mut units = [first, 0];
        if (0xD800..0xDC00).contains(&first)
            && let Some(rest) = self.rest.strip_prefix("\\u")
        {
            self.rest = rest;
            units = [first, self.unit()?];
        }
        match char::decode_utf16(units).next() {
            Some(Ok(c)) => Ok(c),
            _ => Err(Unfit::Surrogate { at, path: self.path() }),
        }
    }

    fn unit(&mut self) -> Result<u16, Unfit> {
        let digits = self.rest.split_at_checked(4);
        // A sign is a digit to the parser.
        let digits = digits.filter(|(digits, _)| digits.bytes().all(|it| it.is_ascii_hexdigit()));
        let unit = digits.and_then(|(it, rest)| Some((u16::from_str_radix(it, 16).ok()?, rest)));
        let Some((unit, rest)) = unit else {
            return Err(self.malformed("four hexadecimal digits"));
        };
        self.rest = rest;
        Ok(unit)
    }
}
