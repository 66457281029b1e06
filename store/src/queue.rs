//! The way from a context to the writer: what is asked for, and what will come of it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use crate::batch::Changes;
use crate::claim::Claim;
use crate::contexts::ContextRow;
use crate::error::WriteError;
use crate::shared::Shared;
use crate::writer::Proof;

/// What will come of a commit.
#[derive(Debug)]
pub struct Receipt(oneshot::Receiver<Result<Proof, WriteError>>);

impl Receipt {
    /// Waits for it, on a thread that may wait: not on one that runs tasks.
    pub fn wait(self) -> Result<Proof, WriteError> {
        self.0.blocking_recv().unwrap_or(Err(WriteError::Closed))
    }
}

impl Future for Receipt {
    type Output = Result<Proof, WriteError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let received = Pin::new(&mut self.0).poll(context);
        received.map(|received| received.unwrap_or(Err(WriteError::Closed)))
    }
}

/// Why a commit was not taken. It may be handed in again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotTaken {
    /// As many commits wait for the disk as may. Wait for a place.
    #[error("too many commits are waiting for the disk")]
    Busy,
    /// The commit before is not answered yet. Wait for its receipt.
    #[error("the commit before is not durable yet")]
    InFlight,
    /// See there.
    #[error(transparent)]
    Refused(#[from] WriteError),
}

/// What becomes of a context with a commit of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Becomes {
    /// It is written to.
    Written,
    /// Its feed begins at this position.
    Trimmed(u64),
    Forgotten,
}

impl Becomes {
    /// What the store knows of it then, if it knew this before.
    pub(crate) fn of(self, before: ContextRow) -> Option<ContextRow> {
        match self {
            Self::Written => Some(before),
            Self::Trimmed(from) => {
                Some(ContextRow { feed_from: from.max(before.feed_from), ..before })
            }
            Self::Forgotten => None,
        }
    }
}

/// Changes that are to be made durable.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) changes: Changes,
    pub(crate) must_sync: bool,
    /// How often the database had been opened anew when this was made.
    pub(crate) openings: u64,
    pub(crate) becomes: Becomes,
}

/// The same on their way to the disk.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) claim: Arc<Claim>,
    pub(crate) asked: Asked,
    done: oneshot::Sender<Result<Proof, WriteError>>,
    _way: Way,
}

/// A commit is on its way for as long as this is there, however it ends.
#[derive(Debug)]
struct Way(Arc<Claim>);

impl Drop for Way {
    fn drop(&mut self) {
        self.0.end();
        self.0.shared().metrics.waiting.dec();
    }
}

impl Job {
    /// Says what came of it.
    pub(crate) fn answer(self, answer: Result<Proof, WriteError>) {
        let Self { claim, done, _way, .. } = self;
        // Whoever is told may want to write again at once, or to hand the right on.
        drop((_way, claim));
        // Who does not wait for it any more knows why.
        done.send(answer).ok();
    }
}

#[derive(Debug)]
pub(crate) enum Order {
    Commit(Job),
    /// Somebody looks whether it is quiet.
    Rest,
    Stop,
}

/// Where commits are handed in. Full: whoever hands in waits, or is told.
pub(crate) type Queue = mpsc::Sender<Order>;

/// Hands in changes, or says why they are not taken.
pub(crate) fn hand_in(
    claim: &Arc<Claim>,
    queue: &Queue,
    asked: Asked,
) -> Result<Receipt, NotTaken> {
    let (job, receipt) = begin(claim, asked)?;
    match queue.try_send(Order::Commit(job)) {
        Ok(()) => Ok(receipt),
        Err(TrySendError::Full(_)) => Err(NotTaken::Busy),
        Err(TrySendError::Closed(_)) => Err(WriteError::Closed.into()),
    }
}

/// The same, after waiting for a place in the queue.
pub(crate) async fn hand_in_in_turn(
    claim: &Arc<Claim>,
    queue: &Queue,
    asked: Asked,
) -> Result<Receipt, NotTaken> {
    let place = queue.reserve().await.map_err(|_| WriteError::Closed)?;
    let (job, receipt) = begin(claim, asked)?;
    place.send(Order::Commit(job));
    Ok(receipt)
}

fn begin(claim: &Arc<Claim>, asked: Asked) -> Result<(Job, Receipt), NotTaken> {
    check(claim.shared())?;
    if !claim.begin() {
        return Err(NotTaken::InFlight);
    }
    claim.shared().metrics.waiting.inc();
    let (done, receipt) = oneshot::channel();
    let (claim, _way) = (Arc::clone(claim), Way(Arc::clone(claim)));
    Ok((Job { claim, asked, done, _way }, Receipt(receipt)))
}

/// A full disk is looked at again, so that who asks is not refused for longer than need be.
fn check(shared: &Shared) -> Result<(), WriteError> {
    match shared.pulse.check() {
        Err(WriteError::Full) if shared.has_room(0) => Ok(()),
        checked => checked,
    }
}
