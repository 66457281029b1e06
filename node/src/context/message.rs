//! What those are told who work on contexts, and by whom.

use mangrove_protocol::delta::Delta;
use mangrove_protocol::effect::Decided;
use mangrove_protocol::gossip::Ephemeral;
use mangrove_protocol::governance::Command;
use mangrove_protocol::id::{ContextId, PeerId};
use mangrove_protocol::lane::Lane;
use mangrove_protocol::machine::{Event, Key, OnFull, Reason};
use mangrove_protocol::replica::beat::Heartbeat;
use mangrove_protocol::replica::memory::Labels;
use mangrove_protocol::request::{Request, Written};
use mangrove_protocol::sync::{self, Link};
use mangrove_store::{Pen, Proof, WriteError};
use tokio::sync::mpsc;

use super::comparing::Compared;
use super::ties::Tie;
use crate::fault::Fault;
use crate::inbox::Reply;

/// One life of a context on this node: it has another one each time it is loaded. What is meant for an earlier
/// one is for nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Life(pub(crate) u64);

/// A session of a context with a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Seat {
    pub(crate) context: ContextId,
    pub(crate) life: Life,
    pub(crate) link: Link,
    pub(crate) peer: PeerId,
    /// Whether this node began it.
    pub(crate) is_ours: bool,
}

/// Where what is to be said in a session goes.
pub(crate) type Orders = mpsc::Sender<sync::Message>;

/// How a context comes to this node.
#[derive(Debug)]
pub(crate) enum Beginning {
    /// It is founded here, by these.
    Founded(Vec<Delta>),
    /// This node was let in by this peer.
    Joined(PeerId),
}

/// What this node keeps of a context for itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Given {
    /// What it calls the context, if not as its members do.
    pub(crate) alias: Option<String>,
    /// What it writes down about it.
    pub(crate) labels: Labels,
}

/// What becomes of a commit.
#[derive(Debug)]
pub(crate) enum Landing {
    /// It is durable.
    Durable(Proof),
    /// It is not, and will not be.
    Refused(WriteError),
    /// Nobody knows.
    Fell,
}

/// A request that an application waits for.
#[derive(Debug)]
pub(crate) enum Ask {
    /// To write.
    Write(Request, Reply<Result<Written, Fault>>),
    /// To decide something.
    Decide(Command, Reply<Result<Decided, Fault>>),
    /// To have the context from now on, and what this node keeps of it for itself.
    Begin(Beginning, Given, Reply<Result<(), Fault>>),
    /// To make state anew from the log.
    Rebuild(Reply<Result<(), Fault>>),
    /// To compare with whoever can be reached, and to know what came of it.
    Compare(Reply<Result<Compared, Fault>>),
    /// To have the context no more.
    Forget(Reply<Result<(), Fault>>),
    /// To tell members how things are with this one, until it says otherwise.
    Present(Vec<u8>, Reply<Result<(), Fault>>),
    /// Who is present.
    Presence(Reply<Result<Vec<Presence>, Fault>>),
    /// How its peers stand to this node.
    Ties(Reply<Result<Vec<Tie>, Fault>>),
}

/// How things are with a member who is present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    /// Who.
    pub member: PeerId,
    /// How, as an application said it there.
    pub state: Vec<u8>,
    /// When that was said, in Unix ms.
    pub at_ms: u64,
}

/// What is heard of a session.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A message, in its frame.
    Frame(Vec<u8>),
    /// Some of one that is not whole yet.
    Part,
    /// All that was to be said has been taken.
    Sent,
    /// It has ended.
    Closed,
}

/// What those are told who work on contexts.
#[derive(Debug)]
pub(crate) enum Message {
    /// An application waits for something.
    Asked(ContextId, Ask),
    /// Authentic deltas came by the mesh, from a peer that handed them on.
    Deltas(ContextId, PeerId, Vec<Delta>),
    /// A peer says where it stands.
    Beat(ContextId, PeerId, Box<Heartbeat>),
    /// A member says how things are with it.
    Ephemeral(ContextId, PeerId, Box<Ephemeral>),
    /// A peer of this context can be reached, or cannot any more.
    Reach(ContextId, PeerId, bool),
    /// Something is lacking; this peer has it, or somebody.
    Missing(ContextId, Option<PeerId>),
    /// A peer speaks of what this program is too old for.
    Unknown(ContextId, PeerId),
    /// A peer has begun a session, with this frame.
    Accept(ContextId, PeerId, Vec<u8>, (Orders, Reply<Option<Seat>>)),
    /// Something is heard of a session.
    Session(Seat, Heard),
    /// What the context can be written with, or why not.
    Pen(ContextId, Life, Result<Pen, Reason>),
    /// What became of a commit.
    Landed(ContextId, Life, Landing),
    /// Those who asked before this have been heard: the next commit may follow.
    GoOn(ContextId, Life),
    /// The context is forgotten, or why not.
    Forgotten(ContextId, Life, Result<(), WriteError>),
    /// It may be time to forget what is old.
    Trim,
    /// Something has ended of which nothing follows.
    Done(&'static str),
    /// Finish what is in hand, take nothing new, and say when that is so.
    Stop(Reply<()>),
}

impl Event for Message {
    fn label(&self) -> &'static str {
        match self {
            Self::Asked(_, ask) => ask.label(),
            Self::Deltas(..) => "deltas",
            Self::Beat(..) => "beat",
            Self::Ephemeral(..) => "ephemeral",
            Self::Reach(..) => "reach",
            Self::Missing(..) => "missing",
            Self::Unknown(..) => "unknown",
            Self::Accept(..) => "accept",
            Self::Session(_, Heard::Frame(_)) => "frame",
            Self::Session(_, Heard::Part) => "part",
            Self::Session(_, Heard::Sent) => "sent",
            Self::Session(_, Heard::Closed) => "closed",
            Self::Pen(..) => "pen",
            Self::Landed(..) => "landed",
            Self::GoOn(..) => "go on",
            Self::Forgotten(..) => "forgotten",
            Self::Trim => "trim",
            Self::Done(what) => what,
            Self::Stop(_) => "stop",
        }
    }

    fn lane(&self) -> Lane {
        match self {
            // Behind those who asked before it.
            Self::Asked(..) | Self::GoOn(..) => Lane::Api,
            Self::Deltas(..) => Lane::Delta,
            Self::Beat(..) | Self::Ephemeral(..) => Lane::Gossip,
            Self::Reach(..) | Self::Stop(_) => Lane::Control,
            Self::Missing(..) | Self::Unknown(..) => Lane::Sync,
            Self::Accept(..) => Lane::Serve,
            Self::Session(Seat { is_ours: false, .. }, _) => Lane::Serve,
            Self::Session(..) => Lane::Sync,
            Self::Trim => Lane::Idle,
            Self::Pen(..) | Self::Landed(..) | Self::Forgotten(..) | Self::Done(_) => Lane::Done,
        }
    }

    fn on_full(&self) -> OnFull {
        match self {
            // Who asks is told that the node is busy.
            Self::Asked(..) => OnFull::Shed,
            // What is dropped is remembered as missing, and compared for.
            Self::Deltas(..) => OnFull::Shed,
            // Only the latest counts, and it comes again.
            Self::Beat(..) | Self::Ephemeral(..) | Self::Missing(..) | Self::Unknown(..) => {
                OnFull::Coalesce(Key::of(self))
            }
            // The latest counts; who sends it tries again when it is not taken.
            Self::Reach(..) => OnFull::Coalesce(Key::of(self)),
            // The peer is told to come back.
            Self::Accept(..) => OnFull::Shed,
            // A sign of life: the next one does as well.
            Self::Session(_, Heard::Part) => OnFull::Coalesce(Key::of(self)),
            // The routine stops reading, and the peer has to wait.
            Self::Session(..) => OnFull::Wait,
            Self::Trim => OnFull::Coalesce(Key::of(self)),
            Self::Stop(_) => OnFull::Wait,
            // Where there is no room for it, it goes on at once.
            Self::GoOn(..) => OnFull::Shed,
            // These come back by themselves, and need no room.
            Self::Pen(..) | Self::Landed(..) | Self::Forgotten(..) | Self::Done(_) => OnFull::Wait,
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            Self::Asked(_, Ask::Write(request, _)) => request.bytes(),
            Self::Asked(_, Ask::Present(state, _)) => state.len() as u64,
            Self::Deltas(_, _, deltas) => {
                deltas.iter().map(|delta| delta.bytes().len() as u64).sum()
            }
            Self::Accept(_, _, frame, _) | Self::Session(_, Heard::Frame(frame)) => {
                frame.len() as u64
            }
            _ => 0,
        }
    }

    fn context(&self) -> Option<ContextId> {
        match self {
            Self::Asked(context, _)
            | Self::Deltas(context, ..)
            | Self::Beat(context, ..)
            | Self::Ephemeral(context, ..)
            | Self::Reach(context, ..)
            | Self::Missing(context, _)
            | Self::Unknown(context, _)
            | Self::Accept(context, ..)
            | Self::Session(Seat { context, .. }, _)
            | Self::Pen(context, ..)
            | Self::Landed(context, ..)
            | Self::GoOn(context, _)
            | Self::Forgotten(context, ..) => Some(*context),
            Self::Trim | Self::Done(_) | Self::Stop(_) => None,
        }
    }

    fn peer(&self) -> Option<PeerId> {
        match self {
            Self::Deltas(_, peer, _)
            | Self::Beat(_, peer, _)
            | Self::Ephemeral(_, peer, _)
            | Self::Reach(_, peer, _)
            | Self::Unknown(_, peer)
            | Self::Accept(_, peer, ..)
            | Self::Session(Seat { peer, .. }, _) => Some(*peer),
            Self::Missing(_, peer) => *peer,
            _ => None,
        }
    }
}

impl Ask {
    const fn label(&self) -> &'static str {
        match self {
            Self::Write(..) => "write",
            Self::Decide(..) => "decide",
            Self::Begin(..) => "begin",
            Self::Rebuild(_) => "rebuild",
            Self::Compare(_) => "compare",
            Self::Forget(_) => "forget",
            Self::Present(..) => "present",
            Self::Presence(_) => "presence",
            Self::Ties(_) => "ties",
        }
    }

    /// Tells whoever asked that nothing is done, and why.
    pub(super) fn refuse(self, why: Fault) {
        match self {
            Self::Write(_, reply) => reply.send(Err(why)),
            Self::Decide(_, reply) => reply.send(Err(why)),
            Self::Begin(_, _, reply)
            | Self::Rebuild(reply)
            | Self::Forget(reply)
            | Self::Present(_, reply) => reply.send(Err(why)),
            Self::Compare(reply) => reply.send(Err(why)),
            Self::Presence(reply) => reply.send(Err(why)),
            Self::Ties(reply) => reply.send(Err(why)),
        }
    }
}
