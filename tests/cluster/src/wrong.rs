//! What is wrong, told at length.

use std::fmt;

/// What is wrong, told at length.
///
/// It prints the same way for `{}` and `{:?}`, so that an `unwrap` tells everything.
#[derive(Clone, PartialEq, Eq)]
pub struct Wrong(String);

impl From<String> for Wrong {
    fn from(told: String) -> Self {
        Self(told)
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{self}")
    }
}

impl std::error::Error for Wrong {}
