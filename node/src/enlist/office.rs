//! The open calls of this node: what each is for, and what has come of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use mangrove_protocol::enlist::{Hiring, Nonce};
use mangrove_protocol::id::{ContextId, PeerId};
use parking_lot::Mutex;
use tokio::sync::watch;

/// The open calls of this node. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Office(Arc<Mutex<Book>>);

#[derive(Debug, Default)]
struct Book {
    hiring: Hiring,
    calls: BTreeMap<Nonce, (ContextId, watch::Sender<Progress>)>,
}

/// How far a call has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Progress {
    /// Exchanges that have not ended.
    in_hand: usize,
    /// Those who have taken the context.
    taken: Vec<PeerId>,
}

/// A call that is open. It ends when this is dropped; exchanges that are in hand end by themselves.
#[derive(Debug)]
pub(crate) struct Calling {
    office: Office,
    nonce: Nonce,
    progress: watch::Receiver<Progress>,
}

/// A replica that is being hired. Dropped, it has failed, and leaves its place to another.
#[derive(Debug)]
pub(super) struct Hired {
    office: Office,
    nonce: Nonce,
    replica: PeerId,
    pub(super) context: ContextId,
    progress: watch::Sender<Progress>,
    has_taken: bool,
}

impl Office {
    /// Opens a call for so many replicas of a context. `None` if there are too many.
    pub(crate) fn open(
        &self,
        (context, nonce): (ContextId, Nonce),
        count: u64,
        now_ms: u64,
    ) -> Option<Calling> {
        let mut book = self.0.lock();
        if !book.hiring.open(nonce, count, now_ms) {
            return None;
        }
        let (sender, progress) = watch::channel(Progress::default());
        book.calls.insert(nonce, (context, sender));
        drop(book);
        Some(Calling { office: self.clone(), nonce, progress })
    }

    /// A peer offers itself to a call. `None` if nobody wants it.
    pub(super) fn offer(&self, replica: PeerId, nonce: Nonce, now_ms: u64) -> Option<Hired> {
        let mut book = self.0.lock();
        if !book.hiring.offer(replica, &nonce, now_ms) {
            return None;
        }
        let (context, progress) = book.calls.get(&nonce)?.clone();
        drop(book);
        progress.send_modify(|progress| progress.in_hand += 1);
        let (office, has_taken) = (self.clone(), false);
        Some(Hired { office, nonce, replica, context, progress, has_taken })
    }
}

impl Calling {
    /// Until so many have taken the context.
    pub(crate) async fn filled(&mut self, count: u64) {
        self.progress.wait_for(|progress| progress.taken.len() as u64 >= count).await.ok();
    }

    /// Until no exchange is in hand.
    pub(crate) async fn idle(&mut self) {
        self.progress.wait_for(|progress| progress.in_hand == 0).await.ok();
    }

    /// Those who have taken the context.
    pub(crate) fn taken(&self) -> Vec<PeerId> {
        self.progress.borrow().taken.clone()
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        let mut book = self.office.0.lock();
        book.hiring.close(&self.nonce);
        book.calls.remove(&self.nonce);
    }
}

impl Hired {
    /// It has taken the context.
    pub(super) fn taken(mut self) {
        self.has_taken = true;
    }
}

impl Drop for Hired {
    fn drop(&mut self) {
        if !self.has_taken {
            self.office.0.lock().hiring.failed(self.replica, &self.nonce);
        }
        self.progress.send_modify(|progress| {
            progress.in_hand -= 1;
            progress.taken.extend(self.has_taken.then_some(self.replica));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTEXT: ContextId = ContextId::from_bytes([7; 32]);
    const NONCE: Nonce = [1; 16];

    fn peer(number: u8) -> PeerId {
        PeerId::from_bytes([number; 32])
    }

    #[test]
    fn who_takes_is_told_and_who_does_not_leaves_its_place() {
        let office = Office::default();
        let calling = office.open((CONTEXT, NONCE), 1, 0).unwrap();
        assert!(office.offer(peer(1), [2; 16], 0).is_none());
        let first = office.offer(peer(1), NONCE, 0).unwrap();
        assert_eq!(first.context, CONTEXT);
        assert!(office.offer(peer(2), NONCE, 0).is_none(), "one was wanted");
        drop(first);
        let second = office.offer(peer(2), NONCE, 0).unwrap();
        assert_eq!(calling.progress.borrow().in_hand, 1);
        second.taken();
        assert_eq!(calling.progress.borrow().in_hand, 0);
        assert_eq!(calling.taken(), [peer(2)]);
    }

    #[test]
    fn a_call_that_nobody_waits_for_hires_nobody() {
        let office = Office::default();
        let calling = office.open((CONTEXT, NONCE), 2, 0).unwrap();
        let first = office.offer(peer(1), NONCE, 0).unwrap();
        drop(calling);
        assert!(office.offer(peer(2), NONCE, 0).is_none());
        first.taken();
        assert!(office.0.lock().calls.is_empty());
        assert!(office.open((CONTEXT, NONCE), 2, 0).is_some());
    }
}
