//! One pass over a JSON document that writes its canonical form as it goes.
//!
//! It calls itself for what is nested, no deeper than [`JSON_DEPTH`].

use mangrove_protocol::limits::JSON_DEPTH;

use super::members::{self, Member};
use super::path::{Name, Step, path};
use super::{Unfit, number, string};

/// What has been read of a document, and what has been written.
pub(super) struct Reader<'a> {
    text: &'a str,
    /// What is left of the text.
    pub(super) rest: &'a str,
    out: Vec<u8>,
    /// The names of the members of all open objects, unescaped and end to end, and after them the
    /// string that is being read.
    pub(super) names: String,
    /// The members of all open objects, those of the innermost last.
    members: Vec<Member>,
    /// One for each array and object that is open.
    steps: Vec<Step>,
}

impl<'a> Reader<'a> {
    /// The canonical form of a document.
    pub(super) fn read(text: &'a str) -> Result<Vec<u8>, Unfit> {
        let mut reader = Self {
            text,
            rest: text,
            out: Vec::new(),
            names: String::new(),
            members: Vec::new(),
            steps: Vec::new(),
        };
        reader.value()?;
        reader.space();
        if reader.rest.is_empty() {
            return Ok(reader.out);
        }
        Err(reader.malformed("the end of the document"))
    }

    fn value(&mut self) -> Result<(), Unfit> {
        self.space();
        match self.rest.as_bytes().first() {
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'"') => self.quoted(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.word(),
        }
    }

    fn object(&mut self) -> Result<(), Unfit> {
        self.open('{')?;
        let (first, names) = (self.members.len(), self.names.len());
        let mut count = 0;
        while self.goes_on(count, '}', "`,` or `}`")? {
            self.member()?;
            count += 1;
        }
        let members = self.members.get_mut(first..).unwrap_or_default();
        if let Err(again) = members::sort(members, &self.names, &mut self.out) {
            self.step(Step::Member(again.name));
            return Err(Unfit::Duplicate { at: again.from, path: self.path() });
        }
        self.members.truncate(first);
        self.names.truncate(names);
        self.close('}');
        Ok(())
    }

    fn member(&mut self) -> Result<(), Unfit> {
        self.step(Step::Nowhere);
        self.space();
        let (from, at) = (self.at(), self.out.len());
        let name = self.string("a name in quotes")?;
        self.step(Step::Member(name));
        string::write(name.within(&self.names), &mut self.out);
        self.space();
        if !self.takes(':') {
            return Err(self.malformed("`:`"));
        }
        self.out.push(b':');
        self.value()?;
        self.members.push(Member { name, from, at, end: self.out.len() });
        Ok(())
    }

    fn array(&mut self) -> Result<(), Unfit> {
        self.open('[')?;
        let mut count = 0;
        while self.goes_on(count, ']', "`,` or `]`")? {
            self.step(Step::Item(count));
            self.value()?;
            count += 1;
        }
        self.close(']');
        Ok(())
    }

    fn quoted(&mut self) -> Result<(), Unfit> {
        let Name { start, end } = self.string("a string")?;
        string::write(Name { start, end }.within(&self.names), &mut self.out);
        self.names.truncate(start);
        Ok(())
    }

    fn number(&mut self) -> Result<(), Unfit> {
        let at = self.at();
        let text = self.digits()?;
        if number::write(text, &mut self.out) {
            return Ok(());
        }
        Err(Unfit::Inexact { at, path: self.path(), text: number::abridged(text) })
    }

    fn word(&mut self) -> Result<(), Unfit> {
        for word in ["true", "false", "null"] {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest;
                self.out.extend_from_slice(word.as_bytes());
                return Ok(());
            }
        }
        Err(self.malformed("a value"))
    }

    /// Enters an array or object, unless that would be one too many.
    fn open(&mut self, bracket: char) -> Result<(), Unfit> {
        if self.steps.len() as u64 >= JSON_DEPTH {
            return Err(Unfit::TooDeep { at: self.at(), path: self.path() });
        }
        self.takes(bracket);
        self.write(bracket);
        self.steps.push(Step::Nowhere);
        Ok(())
    }

    /// Whether something follows the `count` items or members that were read; if not, the bracket
    /// has been read.
    fn goes_on(
        &mut self,
        count: usize,
        bracket: char,
        expected: &'static str,
    ) -> Result<bool, Unfit> {
        self.space();
        if self.takes(bracket) {
            return Ok(false);
        }
        if count == 0 {
            return Ok(true);
        }
        if !self.takes(',') {
            return Err(self.malformed(expected));
        }
        self.out.push(b',');
        Ok(true)
    }

    fn close(&mut self, bracket: char) {
        self.write(bracket);
        self.steps.pop();
    }

    /// Says where in the innermost array or object the reading is.
    fn step(&mut self, step: Step) {
        if let Some(last) = self.steps.last_mut() {
            *last = step;
        }
    }

    fn write(&mut self, c: char) {
        self.out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    /// Reads this character, if it is next.
    pub(super) fn takes(&mut self, c: char) -> bool {
        let rest = self.rest.strip_prefix(c);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// How many bytes have been read.
    pub(super) fn at(&self) -> usize {
        self.text.len() - self.rest.len()
    }

    /// What has been read since `self.rest` was `start`.
    pub(super) fn since(&self, start: &'a str) -> &'a str {
        start.get(..start.len() - self.rest.len()).unwrap_or_default()
    }

    /// The path of what is being read.
    pub(super) fn path(&self) -> String {
        path(&self.steps, &self.names)
    }

    /// Something else stands here than what JSON has there.
    pub(super) fn malformed(&self, expected: &'static str) -> Unfit {
        Unfit::Malformed { at: self.at(), path: self.path(), expected }
    }
}
