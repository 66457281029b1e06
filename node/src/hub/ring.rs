//! The last items of a feed, as everybody who listens to it sees them.

use std::collections::VecDeque;
use std::sync::Arc;

use mangrove_protocol::replica::feed::FeedItem;

use super::Closed;
use super::weight::weight;

/// Items that a ring holds at most. The oldest goes first.
pub(super) const MOST_ITEMS: u64 = 256;
/// Bytes of them. What is larger by itself is not held at all.
const MOST_BYTES: usize = 1 << 20;

/// An item with its position.
pub(super) type Placed = (u64, Arc<FeedItem>);

/// The last items of a feed, one after another without a hole.
#[derive(Debug, Default)]
pub(super) struct Ring {
    /// Each with its bytes.
    items: VecDeque<(Arc<FeedItem>, usize)>,
    bytes: usize,
    /// The position of the first item; of the next one to come, if there is none.
    first: u64,
    /// The position after the last item.
    next: u64,
    /// How far the feed is known to go, which may be further than was told.
    end: u64,
    closed: Option<Closed>,
}

/// How far a ring goes, and how far its feed is known to, and whether that is all.
pub(super) type Extent = (u64, u64, Option<Closed>);

/// What a ring has for a cursor.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// These.
    Items(Vec<Placed>),
    /// Nothing, but so many are stored.
    Stored(u64),
    /// Nothing, and nothing is known of anything more.
    Nothing,
    /// Nothing, for ever.
    Closed(Closed),
}

impl Ring {
    /// Nothing was told yet.
    pub(super) fn new(closed: Option<Closed>) -> Self {
        Self { closed, ..Self::default() }
    }

    /// At most so many items from a position on.
    pub(super) fn find(&self, from: u64, limit: usize) -> Found {
        if let Some(why) = self.closed {
            return Found::Closed(why);
        }
        if from >= self.end {
            return Found::Nothing;
        }
        let at = from.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        let Some(at) = at.filter(|at| *at < self.items.len()) else {
            return Found::Stored(self.end - from);
        };
        let items = (from..).zip(self.items.iter().skip(at).take(limit));
        Found::Items(items.map(|(position, (item, _))| (position, Arc::clone(item))).collect())
    }

    /// Takes the next item; says whether it is new.
    pub(super) fn push(&mut self, position: u64, item: FeedItem) -> bool {
        if position < self.next || self.closed.is_some() {
            return false;
        }
        if position > self.next {
            self.clear();
            self.first = position;
        }
        let bytes = weight(&item);
        self.items.push_back((Arc::new(item), bytes));
        self.bytes = self.bytes.saturating_add(bytes);
        self.next = position + 1;
        self.end = self.end.max(self.next);
        while self.next - self.first > MOST_ITEMS || self.bytes > MOST_BYTES {
            let Some((_, bytes)) = self.items.pop_front() else { break };
            self.bytes -= bytes;
            self.first += 1;
        }
        true
    }

    /// The feed goes as far as this; says whether that is new.
    pub(super) fn reach(&mut self, end: u64) -> bool {
        let is_new = end > self.end;
        self.end = self.end.max(end);
        is_new
    }

    /// Nothing more comes.
    pub(super) fn close(&mut self, why: Closed) {
        self.closed = Some(why);
        self.clear();
    }

    /// Whether there is something for a cursor, or nothing ever will be.
    pub(super) const fn has_news(&self, from: u64) -> bool {
        from < self.end || self.closed.is_some()
    }

    /// How far it goes.
    pub(super) const fn extent(&self) -> Extent {
        (self.next, self.end, self.closed)
    }

    /// Why nothing more comes.
    pub(super) const fn closed(&self) -> Option<Closed> {
        self.closed
    }

    fn clear(&mut self) {
        self.items = VecDeque::new();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use mangrove_protocol::id::DeltaId;

    use super::*;

    /// About so many bytes.
    fn item(bytes: usize) -> FeedItem {
        FeedItem::Rebuilt { void: vec![DeltaId::ZERO; bytes / size_of::<DeltaId>()] }
    }

    fn found(ring: &Ring, from: u64, limit: usize) -> Result<Vec<u64>, Found> {
        match ring.find(from, limit) {
            Found::Items(items) => Ok(items.iter().map(|(position, _)| *position).collect()),
            other => Err(other),
        }
    }

    #[test]
    fn it_holds_the_last_items_and_knows_how_many_are_stored() {
        let mut ring = Ring::new(None);
        assert_eq!(found(&ring, 0, 10), Err(Found::Nothing));
        assert!((10..500).all(|at| ring.push(at, item(0))));
        assert_eq!(ring.items.len(), 256);
        assert_eq!(found(&ring, 244, 3), Ok(vec![244, 245, 246]));
        assert_eq!(found(&ring, 498, 3), Ok(vec![498, 499]));
        assert_eq!(found(&ring, 243, 3), Err(Found::Stored(257)));
        assert_eq!(found(&ring, 500, 3), Err(Found::Nothing));
    }

    #[test]
    fn it_holds_no_more_bytes_than_it_may() {
        let mut ring = Ring::new(None);
        for at in 0..100 {
            ring.push(at, item(100_000));
            assert!(ring.bytes <= 1 << 20);
            assert_eq!(ring.bytes, ring.items.iter().map(|(item, _)| weight(item)).sum::<usize>());
        }
        assert_eq!((ring.items.len(), ring.first), (10, 90));
        ring.push(100, item(2 << 20));
        assert_eq!((ring.items.len(), ring.bytes, ring.first, ring.next), (0, 0, 101, 101));
        assert_eq!(found(&ring, 100, 9), Err(Found::Stored(1)));
        ring.push(101, item(10));
        assert_eq!(found(&ring, 101, 9), Ok(vec![101]));
    }

    #[test]
    fn what_was_left_out_makes_it_begin_anew_and_what_was_told_is_not_new() {
        let mut ring = Ring::new(None);
        assert!((0..3).all(|at| ring.push(at, item(0))));
        assert!(ring.push(5, item(0)));
        assert!(!ring.push(2, item(0)) && !ring.push(5, item(0)));
        assert_eq!(found(&ring, 2, 9), Err(Found::Stored(4)));
        assert_eq!(found(&ring, 5, 9), Ok(vec![5]));
        assert!(ring.reach(9) && !ring.reach(9) && !ring.reach(8));
        assert_eq!(found(&ring, 6, 9), Err(Found::Stored(3)));
        ring.push(6, item(0));
        assert_eq!(found(&ring, 6, 9), Ok(vec![6]));
    }

    #[test]
    fn a_closed_one_has_nothing_and_takes_nothing() {
        let mut ring = Ring::new(None);
        ring.push(0, item(0));
        ring.close(Closed::Forgotten);
        assert!(!ring.push(1, item(0)));
        assert_eq!(found(&ring, 0, 9), Err(Found::Closed(Closed::Forgotten)));
        assert!(ring.items.is_empty());
    }
}
