//! Logs of which a delta was turned away, because too much waits already.
//!
//! What follows it would be turned away too, or stay loose: it is not worth asking for. When something
//! leaves that waits, there may be room again. Of each author some logs are remembered one by one; who has
//! more turned away than that is taken to have no room for any log that is not stored.

use std::collections::{BTreeMap, BTreeSet};

use super::Replica;
use super::parking::Parking;
use crate::effect::Effect;
use crate::id::{LogId, PeerId, Seq, Tip};

/// Logs of one author that are remembered.
const MOST_LOGS: usize = 64;

/// Whose room was full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// That of the author.
    Member,
    /// That of all.
    Context,
}

/// Something that was turned away.
#[derive(Debug)]
struct Away {
    tip: Tip,
    bytes: u64,
    full: Full,
}

/// What was turned away first of each log.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    logs: BTreeMap<LogId, Away>,
    /// Those of whom more logs were turned away than are remembered.
    throngs: BTreeSet<PeerId>,
    /// Something for which there may be room again.
    regained: Option<Tip>,
}

impl Crowd {
    /// There was no room for a delta of so many bytes.
    pub(super) fn turn_away(&mut self, tip: Tip, bytes: u64, full: Full) {
        let author = tip.log.author;
        let of_author = self.logs.keys().filter(|log| log.author == author).count();
        if of_author >= MOST_LOGS && !self.logs.contains_key(&tip.log) {
            self.throngs.insert(author);
            return;
        }
        let away = self.logs.entry(tip.log).or_insert(Away { tip, bytes, full });
        if tip.seq <= away.tip.seq {
            *away = Away { tip, bytes, full };
        }
    }

    /// There is room for some of a log.
    pub(super) fn let_in(&mut self, log: &LogId) {
        self.throngs.remove(&log.author);
        if let Some(away) = self.logs.remove(log) {
            self.regained = Some(away.tip);
        }
    }

    /// Something of a member has left. What fits by that, with room to spare, is asked for again; without the
    /// spare room little that leaves would bring much, again and again.
    pub(super) fn leave(&mut self, member: PeerId, parking: &Parking) {
        let fits = |log: &LogId, away: &Away| {
            (away.full == Full::Context || log.author == member)
                && parking.has_room_to_spare(log.author, away.bytes)
        };
        let regained = self.logs.extract_if(.., |log, away| fits(log, away)).last();
        let Some((_, away)) = regained else { return };
        self.throngs.remove(&away.tip.log.author);
        self.regained = Some(away.tip);
    }
}

impl Replica {
    /// The first place of a log that was turned away, because too much waits already, and might be once
    /// more.
    pub fn turned_away(&self, log: &LogId) -> Option<Seq> {
        let throngs = || {
            let is_stored = self.logs.get(log).is_some_and(|row| !row.stored.is_empty());
            !is_stored && self.crowd.throngs.contains(&log.author)
        };
        let first = self.crowd.logs.get(log).map(|away| away.tip.seq);
        first.or_else(|| throngs().then_some(Seq::FIRST))
    }

    /// Whether anything was turned away that might be once more.
    pub fn is_crowded(&self) -> bool {
        !self.crowd.logs.is_empty()
    }

    /// Up to where more of a log is worth asking for: the next one in any case.
    pub fn worth_asking(&self, log: &LogId) -> Option<Seq> {
        let stored = self.logs.get(log).and_then(|row| row.stored.as_slice().last());
        let next = stored.map(|(seq, _)| seq.next());
        self.turned_away(log).map(|first| next.map_or(first, |next| first.max(next)))
    }

    /// Asks for what was turned away, if there may be room for it by now.
    pub(super) fn ask_again(&mut self, now: &mut Vec<Effect>) {
        if let Some(wanted) = self.crowd.regained.take() {
            now.push(Effect::Fetch { wanted, from: None });
        }
    }
}
