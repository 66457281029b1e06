//! A subscription: a cursor that goes through the feed of one context.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mangrove_protocol::id::ContextId;
use mangrove_protocol::replica::feed::FeedItem;
use mangrove_store::ReadError;
use mangrove_store::feed::{Cursor, Gap, Page};
use tokio::time::timeout;

use super::page::{self, Reading};
use super::ring::{Extent, Found, MOST_ITEMS, Placed, Ring};
use super::seat::Seat;
use super::{Closed, Since};

/// How long to wait before the store is looked at again.
const AGAIN: Duration = Duration::from_millis(20);
/// A page of so few items, from the very end of the feed, is read in place. What lies there was written a moment ago
/// and is still in memory, so it takes about as long as asking another thread for it. What lies deeper may be on the
/// disk, which takes as long as it likes, and whoever asks may be on a thread that serves others.
const FEW: u64 = 64;

/// A subscription to one context. Dropped, it ends.
pub struct Subscription {
    seat: Seat,
    cursor: Cursor,
    /// Whether the store has said that the feed goes on from the cursor. Until it has, the ring may belong to another
    /// feed than the cursor does.
    is_known: bool,
    /// A page that is being read. It is kept here, so that who gives up waiting finds it later.
    pub(super) reading: Option<Reading>,
}

/// What a subscriber is told at a time: items, or a gap, or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// What cannot be told, before all else.
    pub gap: Option<Gap>,
    /// Items, each with its position, in order.
    pub items: Vec<(u64, Arc<FeedItem>)>,
    /// Where to go on after them.
    pub cursor: Cursor,
}

/// Why a subscriber is told nothing more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// There is nothing more to tell.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// What is stored cannot be read.
    #[error(transparent)]
    Unreadable(ReadError),
}

impl Subscription {
    pub(super) const fn new(seat: Seat, cursor: Cursor, is_known: bool) -> Self {
        Self { seat, cursor, is_known, reading: None }
    }

    /// The context.
    pub const fn context(&self) -> ContextId {
        self.seat.context()
    }

    /// How far it has got: what was delivered lies before it. Whoever comes back with it misses nothing.
    pub const fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// Waits for what comes next: at most so many items and at least one, unless there is a gap. Whoever gives up
    /// waiting has lost nothing.
    pub async fn next(&mut self, limit: usize) -> Result<Delivery, Ended> {
        let limit = limit.max(1);
        loop {
            match self.find(limit) {
                Found::Closed(why) => return Err(why.into()),
                Found::Items(items) => return Ok(self.serve(items)),
                Found::Nothing => self.news().await,
                Found::Stored(behind) => {
                    let before = self.seat.ring().extent();
                    match self.fetch(behind, limit).await? {
                        Some(delivery) => return Ok(delivery),
                        None => self.pause(before).await,
                    }
                }
            }
        }
    }

    /// What there is for it at this moment.
    fn find(&self, limit: usize) -> Found {
        let ring = self.seat.ring();
        match ring.closed() {
            None if !self.is_known => Found::Stored(u64::MAX),
            _ => ring.find(self.cursor.next, limit),
        }
    }

    /// Until there is something for it, or nothing ever will be.
    async fn news(&mut self) {
        let from = self.cursor.next;
        self.seat.find(|ring| ring.has_news(from).then_some(())).await;
    }

    /// Until the ring is another than before, and not for long.
    async fn pause(&mut self, before: Extent) {
        let changed = self.seat.find(|ring| (ring.extent() != before).then_some(()));
        timeout(AGAIN, changed).await.ok();
    }

    /// What the ring has.
    fn serve(&mut self, items: Vec<Placed>) -> Delivery {
        self.seat.metrics().from_ring.inc_by(items.len() as u64);
        let next = after_last(&items).unwrap_or(self.cursor.next);
        self.deliver(None, items, Cursor { next, ..self.cursor })
    }

    /// What is stored; nothing if that is to be tried again.
    async fn fetch(&mut self, behind: u64, limit: usize) -> Result<Option<Delivery>, Ended> {
        let (context, after) = (self.seat.context(), self.cursor);
        let is_small = behind <= FEW || u64::try_from(limit).is_ok_and(|limit| limit <= FEW);
        if self.reading.is_none() && is_small && behind <= MOST_ITEMS {
            let read = page::read(self.seat.reader(), &context, Since::After(after), limit);
            return self.take(read, limit);
        }
        let begin = || Reading::begin(self.seat.reader(), context, after, limit);
        let reading = self.reading.get_or_insert_with(begin);
        let read = tokio::select! {
            read = reading => read,
            why = self.seat.find(Ring::closed) => return Err(why.into()),
        };
        self.reading = None;
        self.take(read, limit)
    }

    /// What a page that was read means.
    pub(super) fn take(
        &mut self,
        read: Result<Page, ReadError>,
        limit: usize,
    ) -> Result<Option<Delivery>, Ended> {
        let mut page = match read {
            Ok(page) => page,
            Err(ReadError::Reopening) => return Ok(None),
            Err(ReadError::UnknownContext) => return Err(Closed::Forgotten.into()),
            Err(why) => return Err(Ended::Unreadable(why)),
        };
        self.is_known = true;
        if page.gap.is_none() && page.items.is_empty() {
            return Ok(None);
        }
        // It may have been begun for somebody who wanted more, and gave up.
        page.items.truncate(limit);
        self.seat.metrics().from_store.inc_by(page.items.len() as u64);
        let next = after_last(&page.items).unwrap_or(page.cursor.next);
        let items = page.items.into_iter().map(|(position, item)| (position, Arc::new(item)));
        Ok(Some(self.deliver(page.gap, items.collect(), Cursor { next, ..page.cursor })))
    }

    fn deliver(&mut self, gap: Option<Gap>, items: Vec<Placed>, cursor: Cursor) -> Delivery {
        self.cursor = cursor;
        // What is still being read begins where the cursor was.
        self.reading = None;
        Delivery { gap, items, cursor }
    }
}

fn after_last<T>(items: &[(u64, T)]) -> Option<u64> {
    items.last().map(|(position, _)| position + 1)
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Subscription");
        text.field("context", &self.context()).field("cursor", &self.cursor);
        text.finish_non_exhaustive()
    }
}
