//! The section `[feed]`: how far back applications can be told what happened.

use crate::section::section;
use crate::setting::{Text, Unfit};

section! {
    /// How far back applications can be told what happened.
    "feed" => Feed {
        /// `everything`, or so many of the last items of each context. Whoever asks for older ones
        /// is told of the gap.
        keep: Keep = Keep::Everything,
    }
}

/// How much of a feed is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// All of it.
    Everything,
    /// The last so many items.
    Last(u64),
}

impl Keep {
    /// The first position that is kept of a feed whose next one will have this position.
    pub const fn from(self, next: u64) -> u64 {
        match self {
            Self::Everything => 0,
            Self::Last(count) => next.saturating_sub(count),
        }
    }
}

impl Text for Keep {
    const EXPECTED: &'static str = "`everything` or a number of items";

    fn parse(text: &str) -> Result<Self, Unfit> {
        if text == "everything" {
            return Ok(Self::Everything);
        }
        let count = text.replace('_', "").parse().map(Self::Last);
        count.map_err(|_| Unfit::new(format!("expected {}, found `{text}`", Self::EXPECTED)))
    }

    fn print(&self) -> String {
        match self {
            Self::Everything => "everything".to_owned(),
            Self::Last(count) => count.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_items_are_kept_as_are_to_be() {
        assert_eq!(Keep::Everything.from(1_000), 0);
        assert_eq!(Keep::Last(100).from(1_000), 900);
        assert_eq!(Keep::Last(100).from(50), 0);
    }

    #[test]
    fn it_reads_what_it_prints() {
        for text in ["everything", "0", "1000"] {
            assert_eq!(Keep::parse(text).unwrap().print(), text);
        }
        assert_eq!(Keep::parse("1_000"), Ok(Keep::Last(1_000)));
        assert!(Keep::parse("some").is_err());
    }
}
