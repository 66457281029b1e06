//! Reading the feed: what applications are told, from wherever they have got to.

use std::ops::Bound;

use mangrove_protocol::replica::feed::FeedItem;
use mangrove_protocol::view::Feed;

use crate::error::ReadError;
use crate::snapshot::{Direction, Snapshot};

/// How far somebody has got in a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Which feed: a context that was restored has another one.
    pub generation: u64,
    /// The first position that has not been seen.
    pub next: u64,
}

/// Something that cannot be told any more: it was trimmed, or belongs to a feed that is no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Where whoever asked had got to.
    pub after: Cursor,
    /// Where what there is begins.
    pub from: Cursor,
}

/// Some of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// What cannot be told, before all else.
    pub gap: Option<Gap>,
    /// Items, each with its position, in order.
    pub items: Vec<(u64, FeedItem)>,
    /// Where to go on.
    pub cursor: Cursor,
}

impl Snapshot<'_> {
    /// The feed from its beginning, as far back as it goes.
    pub fn feed_start(&self) -> Result<Cursor, ReadError> {
        let row = self.described()?;
        Ok(Cursor { generation: row.generation, next: row.feed_from })
    }

    /// The end of the feed.
    pub fn feed_end(&self) -> Result<Cursor, ReadError> {
        let last =
            self.rows::<Feed>((Bound::Unbounded, Bound::Unbounded), Direction::Reverse).next();
        let next = last.transpose()?.map_or(0, |(position, _)| position + 1);
        let start = self.feed_start()?;
        Ok(Cursor { next: next.max(start.next), ..start })
    }

    /// At most so many items from here on. Whoever asks for what there is no more is told so, and gets what
    /// there is.
    pub fn feed(&self, after: Cursor, limit: usize) -> Result<Page, ReadError> {
        let start = self.feed_start()?;
        let end = self.feed_end()?;
        let is_known = after.generation == start.generation && after.next <= end.next;
        let from = if is_known { after.next.max(start.next) } else { start.next };
        let gap = (!is_known || after.next < start.next)
            .then_some(Gap { after, from: Cursor { next: from, ..start } });
        let rows =
            self.rows::<Feed>((Bound::Included(&from), Bound::Unbounded), Direction::Forward);
        let items = rows.take(limit).collect::<Result<Vec<_>, _>>()?;
        let next = items.last().map_or(from, |(position, _)| position + 1);
        Ok(Page { gap, items, cursor: Cursor { next, ..start } })
    }
}
