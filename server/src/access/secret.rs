//! The secret of a token.

use std::fmt;

use data_encoding::BASE32_NOPAD;

/// What tokens begin with, so that people and scanners know one when they see it.
const BEGINS: &str = "mgt_";
/// Bytes of chance in one.
const BYTES: usize = 32;

/// The secret of a token. It is never shown but to whom it is made for.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// Another one; `None` if the system has no chance to give.
    pub(crate) fn random() -> Option<Self> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes).ok()?;
        Some(Self(format!("{BEGINS}{}", BASE32_NOPAD.encode(&bytes).to_ascii_lowercase())))
    }

    /// As somebody sent it, or as it stands in its file; `None` if nothing does.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// What it is known by.
    pub(crate) fn hash(&self) -> [u8; 32] {
        *blake3::hash(self.0.as_bytes()).as_bytes()
    }

    /// For whom it was made.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
