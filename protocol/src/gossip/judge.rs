//! What becomes of a message: it is passed on, dropped, or held against who brought it.
//!
//! A message is judged in this order: its version, length, encoding and context; then whether it is
//! new and there is room for it; then its signature; and last what depends on the rights, the clock
//! and the keys that this node knows of. So nothing is verified for a copy or under load, and whatever
//! is rejected is rejected for what everybody sees in it: nobody who is honest passes on what another
//! rejects. A bad signature under the name of a stranger is rejected too: forging would cost nothing
//! if any made-up name got it ignored. Strangers are ignored only for what they truly said, so that it
//! is worth asking who they are.

use std::fmt;

use super::message::{Announce, Body, Message, Signed, Unreadable, name};
use crate::clock::MAX_AHEAD_MS;
use crate::delta::{Delta, Refusal, Unverified};
use crate::governance::{Roster, Standing};
use crate::id::{AuthorityId, ContextId, DeltaId, EpochId, PeerId, Seq, Tip};
use crate::wire::Malformed;

/// What becomes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict<A = Accepted> {
    /// It is taken in and passed on.
    Accept(A),
    /// It is neither taken in nor passed on, and nobody is to blame.
    Ignore(Ignored),
    /// No honest node has passed it on.
    Reject(Rejected),
}

/// What a message that is accepted says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// A delta, signed by its author.
    Delta(Delta),
    /// What a member or replica says, signed by it.
    Signed(Box<Signed>),
}

/// Why a message is ignored: here, for the time being.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Ignored {
    /// It or the delta in it is of a version that this program does not know.
    #[error("version {0} is unknown")]
    UnknownVersion(u8),
    /// It was accepted before, or all its deltas are held.
    #[error("known already")]
    Duplicate,
    /// There is no room for it.
    #[error("no room for it")]
    Busy,
    /// Who says it, or wrote the delta that it is about, has no part in the context that is known.
    #[error("{peer} is a stranger")]
    Stranger {
        /// Who.
        peer: PeerId,
        /// The unknown right by which a delta was written. Somebody may know more about it.
        authority: Option<AuthorityId>,
    },
    /// The delta that it is about counts for nothing.
    #[error("beyond a cut-off")]
    BeyondCutOff,
    /// A delta is too far ahead of this node's clock, or a heartbeat too far off it either way.
    #[error("the clock of {peer} shows {time_ms} ms")]
    Clock {
        /// Whose clock it is that differs.
        peer: PeerId,
        /// What it shows, in Unix ms.
        time_ms: u64,
    },
    /// It is sealed under a key that is not held.
    #[error("the key of epoch {0} is not held")]
    NoKey(EpochId),
}

/// Why a message is rejected: everywhere, for ever.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejected {
    /// It is not the encoding of a message, or over a limit.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// What it brings is no delta.
    #[error("no delta: {0}")]
    NoDelta(Refusal),
    /// It belongs to another context than the topic.
    #[error("of another context than the topic")]
    WrongContext,
    /// Its signature does not verify.
    #[error("the signature does not verify")]
    BadSignature,
}

/// Whether a delta may count, as far as its place tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Nothing that is known ends its log before it.
    Open,
    /// Its log ends before it.
    Ended,
    /// The authority it was written under is not known.
    Unknown,
}

/// Who may say what in a context.
pub trait Rights {
    /// Whether a peer is a member or a replica.
    fn takes_part(&self, peer: PeerId) -> bool;

    /// Whether a delta in this place may count.
    fn right(&self, tip: &Tip) -> Right;
}

impl Rights for Roster {
    fn takes_part(&self, peer: PeerId) -> bool {
        self.role(peer).is_some() || self.replicas().contains(&peer)
    }

    /// Goes by places alone: of a log that ends somewhere, all counts that is no higher than where
    /// some cut-off ends it. Whoever holds the log knows better.
    fn right(&self, tip: &Tip) -> Right {
        match self.kept(&tip.log) {
            Standing::Unknown => Right::Unknown,
            Standing::Nothing => Right::Ended,
            Standing::Within(sets) => {
                let is_below = |(highest, _): &(Seq, DeltaId)| tip.seq <= *highest;
                let is_open = sets.is_empty() || sets.iter().flatten().any(is_below);
                if is_open { Right::Open } else { Right::Ended }
            }
        }
    }
}

/// What a node knows when it judges.
pub struct Known<'a> {
    /// Who may say what.
    pub rights: &'a dyn Rights,
    /// Whether a delta is held, or was accepted and is on its way.
    pub holds: &'a dyn Fn(&DeltaId) -> bool,
    /// Whether a message of this [`name`] was accepted before. Old heartbeats are refused by their
    /// time, so a few minutes' worth is enough.
    pub has_heard: &'a dyn Fn(&[u8; 32]) -> bool,
    /// Whether the key of an epoch is held.
    pub has_key: &'a dyn Fn(&EpochId) -> bool,
    /// Bytes that there is room for.
    pub room_bytes: u64,
    /// The wall clock, in Unix ms.
    pub now_ms: u64,
}

impl fmt::Debug for Known<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Known(room for {} bytes at {} ms)", self.room_bytes, self.now_ms)
    }
}

/// Judges a message that came on the topic of a context: once, before it is passed on.
///
/// Whoever calls it remembers what was accepted, so that the next copy is a duplicate.
pub fn judge(bytes: &[u8], context: ContextId, known: &Known<'_>) -> Verdict {
    match weigh(bytes, context, known) {
        Ok(accepted) => Verdict::Accept(accepted),
        Err(Objection::Ignore(why)) => Verdict::Ignore(why),
        Err(Objection::Reject(why)) => Verdict::Reject(why),
    }
}

/// Why a message is not accepted.
enum Objection {
    Ignore(Ignored),
    Reject(Rejected),
}

impl From<Ignored> for Objection {
    fn from(why: Ignored) -> Self {
        Self::Ignore(why)
    }
}

impl From<Rejected> for Objection {
    fn from(why: Rejected) -> Self {
        Self::Reject(why)
    }
}

impl From<Unreadable> for Objection {
    fn from(why: Unreadable) -> Self {
        match why {
            Unreadable::UnknownVersion(version) => Ignored::UnknownVersion(version).into(),
            Unreadable::Malformed(why) => Rejected::Malformed(why).into(),
        }
    }
}

impl From<Refusal> for Objection {
    fn from(why: Refusal) -> Self {
        match why {
            Refusal::UnknownVersion(version) => Ignored::UnknownVersion(version).into(),
            why => Rejected::NoDelta(why).into(),
        }
    }
}

fn weigh(bytes: &[u8], context: ContextId, known: &Known<'_>) -> Result<Accepted, Objection> {
    match Message::decode(bytes)? {
        Message::Delta(delta) => {
            let delta = Unverified::parse(delta)?;
            weigh_delta(delta, context, known).map(Accepted::Delta)
        }
        Message::Signed(signed) => {
            weigh_signed(&signed, bytes, context, known)?;
            Ok(Accepted::Signed(signed))
        }
    }
}

fn weigh_delta(
    delta: Unverified,
    context: ContextId,
    known: &Known<'_>,
) -> Result<Delta, Objection> {
    if delta.context() != context {
        return Err(Rejected::WrongContext.into());
    }
    if (known.holds)(&delta.id()) {
        return Err(Ignored::Duplicate.into());
    }
    known.check_room(delta.bytes())?;
    let delta = delta.verify().map_err(|_| Rejected::BadSignature)?;
    // Its hash is the context's: a genesis needs nobody's leave.
    if !delta.header().is_genesis() {
        known.check_right(&delta.tip())?;
    }
    let hlc = delta.header().hlc;
    if hlc.is_ahead(known.now_ms) {
        return Err(Ignored::Clock { peer: delta.log().author, time_ms: hlc.ms() }.into());
    }
    Ok(delta)
}

fn weigh_signed(
    signed: &Signed,
    bytes: &[u8],
    context: ContextId,
    known: &Known<'_>,
) -> Result<(), Objection> {
    if signed.context != context {
        return Err(Rejected::WrongContext.into());
    }
    if (known.has_heard)(&name(bytes)) {
        return Err(Ignored::Duplicate.into());
    }
    known.check_room(bytes)?;
    if !signed.is_authentic() {
        return Err(Rejected::BadSignature.into());
    }
    known.check_said(signed.sender, &signed.body)?;
    Ok(())
}

/// What others need not agree with.
impl Known<'_> {
    const fn check_room(&self, bytes: &[u8]) -> Result<(), Ignored> {
        if bytes.len() as u64 > self.room_bytes { Err(Ignored::Busy) } else { Ok(()) }
    }

    fn check_right(&self, tip: &Tip) -> Result<(), Ignored> {
        let (peer, authority) = (tip.log.author, Some(tip.log.authority));
        match self.rights.right(tip) {
            Right::Open => Ok(()),
            Right::Ended => Err(Ignored::BeyondCutOff),
            Right::Unknown => Err(Ignored::Stranger { peer, authority }),
        }
    }

    fn check_said(&self, sender: PeerId, body: &Body) -> Result<(), Ignored> {
        if !self.rights.takes_part(sender) {
            return Err(Ignored::Stranger { peer: sender, authority: None });
        }
        match body {
            Body::Announce(announce) => self.check_announce(announce),
            Body::Heartbeat(beat) if beat.time_ms.abs_diff(self.now_ms) > MAX_AHEAD_MS => {
                Err(Ignored::Clock { peer: sender, time_ms: beat.time_ms })
            }
            Body::Ephemeral(ephemeral) if !(self.has_key)(&ephemeral.epoch) => {
                Err(Ignored::NoKey(ephemeral.epoch))
            }
            Body::Heartbeat(_) | Body::Ephemeral(_) => Ok(()),
        }
    }

    /// One delta that is wanted is enough. If there is none, the first one says why.
    fn check_announce(&self, announce: &Announce) -> Result<(), Ignored> {
        let check = |tip: &Tip| match (self.holds)(&tip.id) {
            true => Err(Ignored::Duplicate),
            false => self.check_right(tip),
        };
        let mut found = announce.tips.iter().map(check);
        let first = found.next().unwrap_or(Err(Ignored::Duplicate));
        first.or_else(|why| found.find(Result::is_ok).unwrap_or(Err(why)))
    }
}
