//! Pages of the stored feed, of bounded size, and read where waiting for the disk keeps nobody waiting.

use std::future::Future;
use std::ops::Bound;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use mangrove_protocol::id::ContextId;
use mangrove_protocol::limits::PAGE_ENTRIES;
use mangrove_protocol::view::Feed;
use mangrove_store::feed::{Cursor, Page};
use mangrove_store::{Direction, ReadError, Reader};
use tokio::task::JoinHandle;

use super::Since;
use super::weight::weight;

/// With so many bytes a page is full, however few items that are.
const MOST_BYTES: usize = 1 << 20;

/// A page of the feed of a context. A gap comes first, and counts as no item.
pub(super) fn read(
    reader: &Reader,
    context: &ContextId,
    since: Since,
    limit: usize,
) -> Result<Page, ReadError> {
    let reading = reader.begin()?;
    let snapshot = reading.context(context)?;
    // Where to begin and what is missing, the store says.
    let mut page = snapshot.feed(since.cursor(&snapshot)?, 0)?;
    let (from, mut bytes) = (page.cursor.next, 0_usize);
    let rows =
        snapshot.rows::<Feed>((Bound::Included(&from), Bound::Unbounded), Direction::Forward);
    for row in rows.take(limit.min(most_items())) {
        let (position, item) = row?;
        bytes = bytes.saturating_add(weight(&item));
        page.items.push((position, item));
        page.cursor.next = position + 1;
        if bytes >= MOST_BYTES {
            break;
        }
    }
    Ok(page)
}

fn most_items() -> usize {
    usize::try_from(PAGE_ENTRIES).unwrap_or(usize::MAX)
}

/// A page that is being read on a thread that may wait for the disk.
#[derive(Debug)]
pub(super) struct Reading(JoinHandle<Result<Page, ReadError>>);

impl Reading {
    /// Begins to read it.
    pub(super) fn begin(reader: &Reader, context: ContextId, after: Cursor, limit: usize) -> Self {
        let reader = reader.clone();
        let read = move || read(&reader, &context, Since::After(after), limit);
        Self(tokio::task::spawn_blocking(read))
    }
}

impl Future for Reading {
    type Output = Result<Page, ReadError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let read = ready!(Pin::new(&mut self.0).poll(cx));
        // It panicked, or the runtime is going.
        Poll::Ready(read.unwrap_or_else(|why| Err(ReadError::Disk(why.to_string()))))
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        // One that has not begun never will.
        self.0.abort();
    }
}
