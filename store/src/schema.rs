//! Everything that lies in the database, on one screen.
//!
//! | family | holds | its rows |
//! |---|---|---|
//! | `meta` | what belongs to the whole home | [`Meta`] |
//! | `deltas` | what was received, as it was received | `Deltas` |
//! | `index` | where deltas stand, and what the node must remember | all tables not named elsewhere |
//! | `state` | what applications read | `Registers`, `Counters`, `Sets`, `Items` |
//! | `feed` | what applications are told | `Feed` |
//!
//! A row of a context lies under `context 8 · table 1 · key`: the number that its context has in this home,
//! the tag of its table, and the key as `mangrove_protocol::ordered` writes it. Rows of one table thus lie
//! together, in the order of their keys. Its value is told in `value`.

use mangrove_protocol::ordered::{self, Ordered};
use mangrove_protocol::view::{Counters, Deltas, Feed, Items, Registers, Sets, Table};

/// The format of the database that this program writes.
pub const FORMAT: u32 = 1;

/// Bytes of a context's number.
const CONTEXT_BYTES: usize = 8;

/// Rows that are kept and cached alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Meta,
    Deltas,
    Index,
    State,
    Feed,
}

impl Family {
    pub(crate) const ALL: [Self; 5] =
        [Self::Meta, Self::Deltas, Self::Index, Self::State, Self::Feed];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Deltas => "deltas",
            Self::Index => "index",
            Self::State => "state",
            Self::Feed => "feed",
        }
    }

    /// Where the rows of a table lie.
    pub(crate) const fn of<T: Table>() -> Self {
        const STATE: [u8; 4] = [Registers::TAG, Counters::TAG, Sets::TAG, Items::TAG];
        let tag = T::TAG;
        if tag == Deltas::TAG {
            return Self::Deltas;
        }
        if tag == Feed::TAG {
            return Self::Feed;
        }
        let [registers, counters, sets, items] = STATE;
        if tag == registers || tag == counters || tag == sets || tag == items {
            return Self::State;
        }
        Self::Index
    }
}

/// What belongs to the whole home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meta<'a> {
    /// The format of the database: a number of 4 bytes.
    Format,
    /// Sealed under the data key in an encrypted home, so that a wrong key is noticed.
    Probe,
    /// The number that the next context gets.
    NextContext,
    /// What is known of a context: [`crate::contexts::ContextRow`].
    Context(&'a [u8; 32]),
}

impl Meta<'_> {
    /// Before the key of every context.
    pub(crate) const CONTEXTS: &'static [u8] = b"context/";

    pub(crate) fn key(self) -> Vec<u8> {
        match self {
            Self::Format => b"format".to_vec(),
            Self::Probe => b"probe".to_vec(),
            Self::NextContext => b"next context".to_vec(),
            Self::Context(id) => [Self::CONTEXTS, id.as_slice()].concat(),
        }
    }
}

/// The number of a context in this home. No other context ever has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Number(pub(crate) u64);

impl Number {
    /// What all keys of the context begin with.
    pub(crate) const fn prefix(self) -> [u8; CONTEXT_BYTES] {
        self.0.to_be_bytes()
    }

    /// Where all its keys lie: from the first of these on, and before the second.
    pub(crate) fn all(self) -> (Vec<u8>, Vec<u8>) {
        (self.prefix().to_vec(), after(&self.prefix()).unwrap_or_else(|| vec![u8::MAX; 96]))
    }

    /// What all keys of one of its tables begin with.
    pub(crate) fn table<T: Table>(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(96);
        bytes.extend(self.prefix());
        bytes.push(T::TAG);
        bytes
    }

    /// Where a row lies.
    pub(crate) fn key<T: Table>(self, key: &T::Key) -> Vec<u8> {
        let mut bytes = self.table::<T>();
        key.put(&mut bytes);
        bytes
    }
}

/// The key of the row that lies there.
pub(crate) fn read_key<T: Table>(bytes: &[u8]) -> Option<T::Key> {
    ordered::decode(bytes.get(CONTEXT_BYTES + 1..)?)
}

/// The first key after all that begin with these bytes.
pub(crate) fn after(prefix: &[u8]) -> Option<Vec<u8>> {
    let end = prefix.iter().rposition(|byte| *byte < u8::MAX)?;
    let mut bytes = prefix.get(..=end)?.to_vec();
    if let Some(last) = bytes.last_mut() {
        *last += 1;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use mangrove_protocol::view::{ForTable, for_every_table};

    use super::*;

    #[derive(Default)]
    struct Listed(BTreeMap<&'static str, Vec<&'static str>>);

    impl ForTable for Listed {
        fn table<T: Table>(&mut self) {
            self.0.entry(Family::of::<T>().name()).or_default().push(T::NAME);
        }
    }

    #[test]
    fn every_table_lies_in_the_family_that_the_page_says() {
        let mut listed = Listed::default();
        for_every_table(&mut listed);
        assert_eq!(listed.0["deltas"], ["deltas"]);
        assert_eq!(listed.0["feed"], ["feed"]);
        assert_eq!(listed.0["state"], ["registers", "counters", "sets", "items"]);
        assert_eq!(listed.0.len(), 4, "nothing of a context lies in meta");
    }

    #[test]
    fn the_end_of_a_prefix_is_right_after_it() {
        assert_eq!(after(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(after(&[1, 255, 255]), Some(vec![2]));
        assert_eq!(after(&[255, 255]), None);
    }
}
