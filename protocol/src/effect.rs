//! What a context's machine is told, and what it wants done.
//!
//! Disk, then mesh, then ears: whatever derives from a commit is locked inside it, and comes out
//! only against a proof that the commit is durable.

use std::fmt::Debug;

use crate::delta::Delta;
use crate::governance::{Command, Refusal};
use crate::graph::Cause;
use crate::id::{DeltaId, EpochId, Incarnation, PeerId, Tip};
use crate::replica::beat::Heartbeat;
use crate::replica::feed::FeedItem;
use crate::request::{Fault, Request, Written};
use crate::seal::EpochKey;
use crate::view::Batch;

/// Where an answer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplyTo(pub u64);

/// Everything that can happen to a context.
#[derive(Debug, Clone)]
pub enum Input {
    /// An application wants to write.
    Write {
        /// What.
        request: Request,
        /// Who waits for the answer.
        reply: ReplyTo,
    },
    /// Authentic deltas have come.
    Deltas {
        /// From whom.
        from: PeerId,
        /// In the order in which they came.
        deltas: Vec<Delta>,
    },
    /// The oldest commit on its way is durable.
    Committed,
    /// Whoever asks by now has been heard. If enough wait, the next commit is made while the one before is on
    /// its way; otherwise nothing happens.
    Ahead,
    /// These own deltas went out to the mesh.
    Published(Vec<DeltaId>),
    /// A peer says where it stands.
    Heartbeat {
        /// Who.
        from: PeerId,
        /// Where.
        beat: Heartbeat,
    },
    /// The key of an epoch was learnt.
    Key(EpochKey),
    /// A member decides something.
    Decide {
        /// What.
        command: Command,
        /// Who waits for the answer.
        reply: ReplyTo,
    },
    /// A comparison of governance with this peer ended without any difference.
    Agreed {
        /// With whom.
        with: PeerId,
    },
    /// This node was let in by this member, with a ticket.
    Joined {
        /// By whom.
        by: PeerId,
    },
    /// State is to be made anew from the log.
    Rebuild,
    /// The time that was asked for has come.
    Tick,
    /// The node is stopping: finish what is in hand, take nothing new.
    Stop,
}

/// What a context's machine wants done.
#[derive(Debug)]
pub enum Effect {
    /// Send an own delta to the mesh.
    Publish(Delta),
    /// Say to the mesh where this node stands.
    Beat(Heartbeat),
    /// Tell subscribers.
    Notify {
        /// The item's position in the feed.
        position: u64,
        /// What happened.
        item: FeedItem,
    },
    /// Answer a caller.
    Reply {
        /// Who waits.
        to: ReplyTo,
        /// With what.
        answer: Result<Written, Fault>,
    },
    /// Answer who decided something.
    Decided {
        /// Who waits.
        to: ReplyTo,
        /// With what.
        answer: Result<Decided, Undecided>,
    },
    /// Ask peers for what is missing.
    Fetch {
        /// A delta that others cite; the log up to it is wanted.
        wanted: Tip,
        /// Who should have it.
        from: Option<PeerId>,
    },
    /// Compare notes with a peer whose heartbeat differs.
    Sync {
        /// Whom.
        with: PeerId,
    },
    /// Note something down: in a ledger, a log, a status.
    Note(Note),
}

/// Something worth knowing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A delta was not taken.
    Refused {
        /// Who sent it.
        from: PeerId,
        /// Which one.
        delta: DeltaId,
        /// Why.
        why: Refused,
    },
    /// A log has branched: two authentic deltas continue the same one.
    Forked {
        /// The delta that made it so.
        tip: Tip,
    },
    /// A delta is stored and waits.
    Parked {
        /// Which one.
        delta: DeltaId,
        /// What for.
        cause: Cause,
    },
    /// This node goes on in a new log.
    Incarnation {
        /// Its number.
        new: Incarnation,
        /// Why the one before ended.
        why: Reborn,
    },
    /// The epoch whose key this node writes under from now on.
    Epoch {
        /// Which one.
        new: EpochId,
    },
    /// A peer that applied the same deltas shows another root.
    Diverged {
        /// Who.
        with: PeerId,
    },
    /// The delta with this id no longer reads as what was stored.
    Damaged {
        /// Which one.
        delta: DeltaId,
    },
    /// Keys that may be due to somebody could not be handed on. It is tried again.
    NotHandedOn {
        /// Why.
        why: Undecided,
    },
}

/// Why a delta was not taken. It may come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// It belongs elsewhere.
    #[error("it belongs to another context")]
    WrongContext,
    /// Nothing is known of the authority that it was written under.
    #[error("its author is unknown here")]
    Stranger,
    /// It is beyond a cut-off.
    #[error("it is beyond a cut-off")]
    CutOff,
    /// Its author has written more governance than anybody must keep.
    #[error("its author has written too much governance")]
    TooMuchGovernance,
    /// What it names as the delta before it is not: its log ends before it.
    #[error("it does not continue the delta it names")]
    NotContinuing,
    /// The chain before it is not held, and no room is left to keep it until it is.
    #[error("what comes before it is missing")]
    Loose,
    /// It would have to wait, and too much waits already.
    #[error("too much is waiting")]
    ParkingFull,
    /// Its log has too many branches, and nobody cites this one.
    #[error("its log has too many branches")]
    TooManyTips,
    /// Its author has begun too many logs, and nobody cites this one.
    #[error("its author has begun too many logs")]
    TooManyLogs,
}

/// Why an incarnation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reborn {
    /// There was none yet.
    First,
    /// The node stopped without having synced all it wrote.
    Unclean,
    /// A peer showed a delta of it that this node lacks.
    RolledBack,
    /// This node has another role than it had.
    Authority,
    /// Its log was ended.
    Closed,
    /// What it wrote waits again, for parents of others that count again and are not held.
    Waiting,
}

/// What came of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// The governance delta that says it.
    pub delta: DeltaId,
    /// Members whose last right fell with it.
    pub falls: Vec<PeerId>,
}

/// Why a decision was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Undecided {
    /// It may not be, or cannot.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Too much is waiting already. Try again.
    #[error("too many decisions are waiting")]
    Busy,
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopping,
    /// The local clock cannot be right. Set it; then this goes away by itself.
    #[error("this machine's clock is {off_ms} ms away from those of its peers")]
    Clock {
        /// How far.
        off_ms: u64,
    },
    /// It was written and does not count: what this node may do changed meanwhile. Look, and decide again.
    #[error("it was overtaken by another decision")]
    Void,
    /// It does not fit a delta.
    #[error("it is too large for one delta")]
    TooLarge,
    /// This node has written as much governance as others keep of one member.
    #[error("this member has decided more than others keep of one member")]
    Exhausted,
}

/// A proof that a commit is durable. Only the store makes one, after the sync.
pub trait Durable: Debug {}

/// What derives from a commit and must not leave the node before it is durable.
#[derive(Debug, Default)]
pub struct Held(pub(crate) Vec<Effect>);

impl Held {
    /// Whether there is nothing.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What follows comes out with it, and after it.
    pub fn join(&mut self, next: Self) {
        self.0.extend(next.0);
    }

    /// Lets it out: the mesh first, then the ears.
    pub fn release(self, _proof: &impl Durable) -> Vec<Effect> {
        self.0
    }
}

/// One step of a context, to be written whole.
#[derive(Debug)]
pub struct Commit {
    /// What changes.
    pub batch: Batch,
    /// Whether it is durable only when synced, whatever the setting says.
    pub must_sync: bool,
    /// What follows once it is durable.
    pub held: Held,
}

/// What came of an input.
#[derive(Debug, Default)]
pub struct Effects {
    /// What is to be written, after all that was handed out before. There are never more than two of which
    /// [`Input::Committed`] has not said that they were.
    pub commit: Option<Commit>,
    /// What needs no commit of its own, but derives from the last one that is on its way: it is let out with
    /// that.
    pub behind: Held,
    /// What may be done at once: nothing here derives from what is not durable.
    pub now: Vec<Effect>,
    /// When a [`Input::Tick`] is wanted at the latest.
    pub wake_at_ms: Option<u64>,
}
