//! Answers: who asks gets one, or is told that there will be none.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::cause::EventId;
use crate::error::Unanswered;

thread_local! {
    /// What this thread drops was never served.
    static UNSERVED: Cell<bool> = const { Cell::new(false) };
}

/// Where an answer goes. Dropped without one, it tells so to whoever waits, and the log.
#[derive(Debug)]
pub struct Reply<T>(Option<oneshot::Sender<Result<T, Unanswered>>>);

/// An answer to come.
#[derive(Debug)]
#[must_use = "an answer that nobody awaits need not be asked for"]
pub struct Answer<T>(oneshot::Receiver<Result<T, Unanswered>>);

/// An answer to come, and where it goes.
pub(crate) fn pair<T>() -> (Reply<T>, Answer<T>) {
    let (to, from) = oneshot::channel();
    (Reply(Some(to)), Answer(from))
}

/// Drops an event that nobody has served: whoever asked is told that nothing was done.
pub(super) fn drop_unserved<E>(event: E) {
    /// Puts back what was, also when dropping panics.
    struct Back(bool);
    impl Drop for Back {
        fn drop(&mut self) {
            UNSERVED.set(self.0);
        }
    }
    let _back = Back(UNSERVED.replace(true));
    drop(event);
}

impl<T> Reply<T> {
    /// Answers.
    pub fn send(mut self, answer: T) {
        if let Some(to) = self.0.take() {
            // Whoever asked may have gone, and is owed nothing then.
            to.send(Ok(answer)).ok();
        }
    }

    /// Whether nobody waits for it any more.
    pub fn is_abandoned(&self) -> bool {
        self.0.as_ref().is_none_or(oneshot::Sender::is_closed)
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        let Some(to) = self.0.take().filter(|to| !to.is_closed()) else { return };
        let why = match UNSERVED.get() {
            true => Unanswered::Stopping,
            false => Unanswered::Dropped,
        };
        if why == Unanswered::Dropped {
            let ev = EventId::current().map(EventId::get);
            let answer = std::any::type_name::<T>();
            tracing::error!(ev, answer, "a request was dropped without an answer");
        }
        to.send(Err(why)).ok();
    }
}

impl<T> Future for Answer<T> {
    type Output = Result<T, Unanswered>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // A reply always says something before it goes.
        let said = Pin::new(&mut self.0).poll(cx);
        said.map(|said| said.unwrap_or(Err(Unanswered::Dropped)))
    }
}
