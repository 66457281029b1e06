//! The section `[identity]`: what a node says about itself.

use crate::section::section;
use crate::setting::{Text, Unfit};

/// Bytes that a name may have.
pub const NAME_BYTES: usize = 128;

section! {
    /// What this node says about itself.
    "identity" => Identity {
        /// A name for people, shown to the members of shared contexts beside the peer id. It need
        /// not be unique and proves nothing. Empty: none is told.
        name: Name = Name::default(),
    }
}

/// A name for people: up to 128 bytes on one line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Text for Name {
    const EXPECTED: &'static str = "a name of at most 128 bytes";

    fn parse(text: &str) -> Result<Self, Unfit> {
        if text.len() > NAME_BYTES {
            let why = format!("a name has at most {NAME_BYTES} bytes, this one has {}", text.len());
            return Err(Unfit::new(why));
        }
        match text.chars().find(|c| c.is_control()) {
            Some(c) => Err(Unfit::new(format!("a name is one line, found {c:?}"))),
            None => Ok(Self(text.to_owned())),
        }
    }

    fn print(&self) -> String {
        self.0.clone()
    }
}
