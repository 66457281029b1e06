//! The subscriptions of one socket.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use mangrove_protocol::id::ContextId;
use mangrove_protocol::limits::SUBSCRIPTIONS_PER_SOCKET;

use crate::listen::Listening;
use crate::rpc::{Error, Kind};

/// Where subscriptions of one socket are taken, and where the socket finds them. Cheap to clone; the clones are one.
#[derive(Clone, Default)]
pub(crate) struct Desk(Rc<RefCell<Book>>);

#[derive(Default)]
struct Book {
    /// How many were ever taken.
    taken: u64,
    /// Of each that is open, how many contexts it listens to.
    open: BTreeMap<Rc<str>, usize>,
    /// What nobody listens to yet.
    fresh: Vec<(Rc<str>, Listening)>,
    /// Where this socket said that somebody is present.
    present: BTreeSet<ContextId>,
}

impl Desk {
    /// Takes a subscription, and names it.
    pub(crate) fn subscribe(&self, listening: Vec<Listening>) -> Result<Rc<str>, Error> {
        let mut book = self.0.borrow_mut();
        let open = book.open.values().sum::<usize>() + listening.len();
        if open as u64 > SUBSCRIPTIONS_PER_SOCKET {
            let why = format!("a socket listens to at most {SUBSCRIPTIONS_PER_SOCKET} contexts");
            return Err(Error::new(Kind::TooLarge, why).hint("open another socket"));
        }
        book.taken += 1;
        let id: Rc<str> = format!("s{}", book.taken).into();
        book.open.insert(Rc::clone(&id), listening.len());
        let fresh = listening.into_iter().map(|one| (Rc::clone(&id), one));
        book.fresh.extend(fresh);
        Ok(id)
    }

    /// Ends a subscription. Whether there was one.
    pub(crate) fn unsubscribe(&self, id: &str) -> bool {
        let mut book = self.0.borrow_mut();
        book.fresh.retain(|(of, _)| &**of != id);
        book.open.remove(id).is_some()
    }

    /// Whether a subscription is open.
    pub(super) fn is_open(&self, id: &str) -> bool {
        self.0.borrow().open.contains_key(id)
    }

    /// One context of a subscription has ended by itself.
    pub(super) fn ended(&self, id: &str) {
        let mut book = self.0.borrow_mut();
        if let Some(left) = book.open.get_mut(id) {
            *left = left.saturating_sub(1);
            if *left == 0 {
                book.open.remove(id);
            }
        }
    }

    /// What nobody listens to yet.
    pub(super) fn fresh(&self) -> Vec<(Rc<str>, Listening)> {
        std::mem::take(&mut self.0.borrow_mut().fresh)
    }

    /// This socket says that somebody is present in a context.
    pub(crate) fn is_present(&self, context: ContextId) {
        self.0.borrow_mut().present.insert(context);
    }

    /// One of those where it did, which is not one any more.
    pub(super) fn leave(&self) -> Option<ContextId> {
        self.0.borrow_mut().present.pop_first()
    }
}
