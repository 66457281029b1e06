//! Logs of which a delta was turned away, because too much waits already.
//!
//! What follows it would be turned away too, or stay loose: it is not worth asking for. When something
//! leaves that waits, there may be room again.

use std::collections::BTreeMap;

use super::Replica;
use crate::effect::Effect;
use crate::id::{LogId, PeerId, Seq, Tip};

/// Logs that are remembered. What is turned away of another one is asked for again and again.
const MOST_LOGS: usize = 1_024;

/// Whose room was full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// That of the author.
    Member,
    /// That of all.
    Context,
}

/// What was turned away first of each log.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    logs: BTreeMap<LogId, (Tip, Full)>,
    /// Something for which there may be room again.
    regained: Option<Tip>,
}

impl Crowd {
    /// There was no room for a delta.
    pub(super) fn turn_away(&mut self, tip: Tip, full: Full) {
        if self.logs.len() >= MOST_LOGS && !self.logs.contains_key(&tip.log) {
            return;
        }
        let (first, of) = self.logs.entry(tip.log).or_insert((tip, full));
        if tip.seq <= first.seq {
            (*first, *of) = (tip, full);
        }
    }

    /// There is room for some of a log.
    pub(super) fn let_in(&mut self, log: &LogId) {
        if let Some((tip, _)) = self.logs.remove(log) {
            self.regained = Some(tip);
        }
    }

    /// Something of a member waits no more.
    pub(super) fn leave(&mut self, member: PeerId) {
        let concerns = |log: &LogId, full: Full| full == Full::Context || log.author == member;
        let regained = self.logs.extract_if(.., |log, (_, full)| concerns(log, *full));
        if let Some((_, (tip, _))) = regained.last() {
            self.regained = Some(tip);
        }
    }
}

impl Replica {
    /// The first place of a log that was turned away, because too much waits already, and might be once
    /// more.
    pub fn turned_away(&self, log: &LogId) -> Option<Seq> {
        self.crowd.logs.get(log).map(|(tip, _)| tip.seq)
    }

    /// Whether anything was turned away that might be once more.
    pub fn is_crowded(&self) -> bool {
        !self.crowd.logs.is_empty()
    }

    /// Asks for what was turned away, if there may be room for it by now.
    pub(super) fn ask_again(&mut self, now: &mut Vec<Effect>) {
        if let Some(wanted) = self.crowd.regained.take() {
            now.push(Effect::Fetch { wanted, from: None });
        }
    }
}
