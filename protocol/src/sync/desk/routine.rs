//! One session as the desk sees it: what it was asked for, what is expected of it, and since when.

use std::collections::BTreeMap;

use super::{PART_BYTES, PUT_OFF_MS};
use crate::id::{LogId, PeerId};
use crate::sync::compare::Name;
use crate::sync::message::FRAME_BYTES;
use crate::sync::round::{Offer, Share, Span};
use crate::sync::session::{Said, Session};

/// Within this time whoever owes something must give some of it.
pub const STEP_MS: u64 = 10_000;
/// After this time without a sign of life what was asked for is asked of somebody else who has it.
pub const RESCUE_MS: u64 = 2_000;
/// A session in which nobody says anything for so long is closed.
pub const IDLE_MS: u64 = 60_000;

/// Something that was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) name: Name,
    pub(super) log: Option<LogId>,
    pub(super) span: Span,
}

/// A session and what is expected of it.
#[derive(Debug)]
pub(super) struct Routine {
    pub(super) peer: PeerId,
    pub(super) session: Session,
    /// Whether this node began it.
    pub(super) is_opened: bool,
    pub(super) wants: BTreeMap<u32, Vec<Asked>>,
    /// What of governance was asked for, by name.
    pub(super) governance: BTreeMap<Name, Span>,
    logs: BTreeMap<Name, LogId>,
    /// Whether what it was asked for was given to another.
    pub(super) is_relieved: bool,
    /// Since when the other side owes something, without having given any of it; nothing if it owes
    /// nothing.
    owed_since_ms: Option<u64>,
    /// When anything was last said that led to something.
    spoken_ms: u64,
    /// Parts of a frame that have come since the last whole one.
    parts: usize,
    /// Since when the other side waits for this node to have seen to all it was given.
    put_off_since_ms: Option<u64>,
}

impl Routine {
    pub(super) fn new(peer: PeerId, session: Session, is_opened: bool, now_ms: u64) -> Self {
        Self {
            peer,
            session,
            is_opened,
            wants: BTreeMap::new(),
            governance: BTreeMap::new(),
            logs: BTreeMap::new(),
            is_relieved: false,
            owed_since_ms: Some(now_ms),
            spoken_ms: now_ms,
            parts: 0,
            put_off_since_ms: None,
        }
    }

    /// Remembers what an offer is of.
    pub(super) fn note(&mut self, offer: &Offer) {
        self.logs.extend(offer.log.map(|log| (offer.name, log)));
    }

    /// What some shares are of.
    pub(super) fn asked(&self, shares: &[Share]) -> Vec<Asked> {
        let asked = |share: &Share| {
            let Share { name, span } = *share;
            Asked { name, log: self.logs.get(&name).copied(), span }
        };
        shares.iter().map(asked).collect()
    }

    /// Keeps time. `gave` says that the other side has just given some of what it owes.
    pub(super) fn keep_time(&mut self, gave: bool, now_ms: u64) {
        let since = self.owed_since_ms.filter(|_| !gave).unwrap_or(now_ms);
        self.owed_since_ms = self.session.is_owed().then_some(since);
        let since = self.put_off_since_ms.unwrap_or(now_ms);
        self.put_off_since_ms = self.session.is_putting_off().then_some(since);
    }

    /// A frame has come whole.
    pub(super) const fn read_frame(&mut self) {
        self.parts = 0;
    }

    /// Another part of a frame has come: a sign of life, as often as there are parts in a frame.
    pub(super) const fn read_part(&mut self, now_ms: u64) {
        self.parts += 1;
        if self.parts as u64 * PART_BYTES as u64 <= FRAME_BYTES && self.owed_since_ms.is_some() {
            self.owed_since_ms = Some(now_ms);
        }
    }

    /// Whether the other side has waited long enough for this node to have seen to all it was given.
    pub(super) fn has_put_off(&self, now_ms: u64) -> bool {
        self.put_off_since_ms.is_some_and(|since_ms| since_ms + PUT_OFF_MS <= now_ms)
    }

    /// Somebody has said something.
    pub(super) const fn speak(&mut self, now_ms: u64) {
        self.spoken_ms = now_ms;
    }

    /// Whether the other side has owed something for so long.
    pub(super) fn is_late(&self, by_ms: u64, now_ms: u64) -> bool {
        self.owed_since_ms.is_some_and(|since_ms| since_ms + by_ms <= now_ms)
    }

    /// Whether nobody has said anything for too long.
    pub(super) const fn is_idle(&self, now_ms: u64) -> bool {
        self.spoken_ms + IDLE_MS <= now_ms
    }

    /// When time is to be kept again.
    pub(super) fn wake_at_ms(&self, now_ms: u64) -> u64 {
        let steps = [RESCUE_MS, STEP_MS].map(|step| Some(self.owed_since_ms? + step));
        let put_off = self.put_off_since_ms.map(|since_ms| since_ms + PUT_OFF_MS);
        let steps = steps.into_iter().chain([put_off]).flatten().filter(|at_ms| *at_ms > now_ms);
        steps.min().unwrap_or(u64::MAX).min(self.spoken_ms + IDLE_MS)
    }
}

/// Whether the other side has done something that it owed, beside sending deltas, of which it is
/// found out elsewhere whether they are new.
pub(super) fn moved(said: &[Said]) -> bool {
    said.iter().any(|said| match said {
        Said::Given(_) | Said::Offered(_) => true,
        Said::Got(_)
        | Said::Send(_)
        | Said::Agreed
        | Said::Unasked
        | Said::Later
        | Said::Over(_) => false,
    })
}
