//! Values and kinds, as they are typed.

use clap::ValueEnum;
use serde_json::value::{RawValue, to_raw_value};

use crate::exit::Kind;
use crate::failure::Failure;

/// How a value is to be taken.
#[derive(Debug, clap::Args)]
pub(crate) struct Typed {
    /// Take it as a text, even if it is JSON
    #[arg(long)]
    string: bool,
}

impl Typed {
    /// The value: JSON as it was typed, letter by letter, since the node tells what of it cannot be kept exactly. What
    /// is no JSON is a text.
    pub(crate) fn value(&self, text: &str) -> Result<Box<RawValue>, Failure> {
        if !self.string
            && let Ok(raw) = RawValue::from_string(text.to_owned())
        {
            return Ok(raw);
        }
        to_raw_value(text).map_err(|why| {
            Failure::new(Kind::Internal, "cannot write the value as JSON").because(why)
        })
    }
}

/// What an entity is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum EntityKind {
    /// One value: the last one wins
    #[default]
    Register,
    /// A sum
    Counter,
    /// Items
    Set,
}

impl EntityKind {
    /// Its name in the API.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Counter => "counter",
            Self::Set => "set",
        }
    }
}

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Everything
    Owner,
    /// Lets others in, and removes those below
    Admin,
    /// Writes
    Writer,
    /// Reads
    Reader,
}

impl Role {
    /// Its name in the API.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Writer => "writer",
            Self::Reader => "reader",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_json_is_a_text_and_what_is_stays_as_it_was_typed() {
        let check = |string: bool, text: &str, expect: &str| {
            assert_eq!(Typed { string }.value(text).unwrap().get(), expect, "{text}");
        };
        check(false, "1", "1");
        check(false, " [1, 2.50] ", "[1, 2.50]");
        check(false, "12345678901234567890123", "12345678901234567890123");
        check(false, r#"{"a":1,"a":2}"#, r#"{"a":1,"a":2}"#);
        check(false, "null", "null");
        check(false, "hello", r#""hello""#);
        check(false, "{bad", r#""{bad""#);
        check(false, "", r#""""#);
        check(true, "1", r#""1""#);
        check(true, r#"say "hi""#, r#""say \"hi\"""#);
    }
}
