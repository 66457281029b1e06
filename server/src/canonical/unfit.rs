//! Why a text has no canonical form.

use mangrove_protocol::limits::JSON_DEPTH;

/// Why a text has no canonical form. `at` is the byte of the text where that shows, `path` the
/// value that it is about, as in `$.a[3]`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// It is not JSON from there on. Mend the text.
    #[error("{path} is not JSON: at byte {at}, there should be {expected}")]
    Malformed {
        /// Where.
        at: usize,
        /// In which value.
        path: String,
        /// What could stand there.
        expected: &'static str,
    },
    /// More than [`JSON_DEPTH`] arrays and objects are in each other. Flatten the document, or
    /// send a part of it as a string.
    #[error("{path} is nested deeper than {JSON_DEPTH} levels, at byte {at}")]
    TooDeep {
        /// Where the first one too many opens.
        at: usize,
        /// Its path.
        path: String,
    },
    /// An object has two members of one name. Keep one of them.
    #[error("{path} is there twice, again at byte {at}")]
    Duplicate {
        /// Where a name stands that stood there before.
        at: usize,
        /// The path that both have.
        path: String,
    },
    /// The number would come back as another one. Send it as a string.
    #[error("{path} is {text}, at byte {at}: a double does not hold that number exactly")]
    Inexact {
        /// Where it begins.
        at: usize,
        /// Its path.
        path: String,
        /// The number as it was sent; if that is long, its beginning and `…`.
        text: String,
    },
    /// A string has half of a surrogate pair, so it is not Unicode. Send both, or what the string
    /// was made of in another encoding, such as base64.
    #[error("{path} has half of a surrogate pair, at byte {at}")]
    Surrogate {
        /// Where its escape begins.
        at: usize,
        /// In which value.
        path: String,
    },
}

impl Unfit {
    /// What whoever sent it can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "send one JSON document, as RFC 8259 says",
            Self::TooDeep { .. } => "flatten it, or send a part of it as a string",
            Self::Duplicate { .. } => "send each name of an object once",
            Self::Inexact { .. } => "send it as a string, or round it to what a double prints",
            Self::Surrogate { .. } => {
                "send both halves of the pair, or bytes that are not text in base64"
            }
        }
    }
}
