//! Deltas of others, on their way in.

use super::loose::Kept;
use super::parking::waiting_for;
use super::settle::Outcome;
use super::{Replica, Step};
use crate::delta::Delta;
use crate::effect::{Effect, Note, Reborn, Refused};
use crate::graph::{self, Cause};
use crate::id::{DeltaId, EpochId, Incarnation, LogId, PeerId, Plane, Seq};
use crate::log::TIPS_PER_LOG;
use crate::op::Payload;
use crate::planted::Bug;
use crate::seal;
use crate::view::{Deltas, Entries, Logs, Owns, Places, View};

/// What became of a delta that was not refused.
enum Taken {
    /// It is stored, and what continues it may follow.
    Stored,
    /// It was stored before.
    Known,
    /// It is kept in memory until what comes before it arrives.
    Loose,
}

impl Replica {
    /// Takes in what arrived, as much as makes one step.
    pub(super) fn admit<V: View>(&mut self, step: &mut Step<'_, V>) {
        for _ in 0..self.config.bounds.deltas_per_step {
            let Some(arrived) = self.arrived.pop() else { break };
            let mut next = vec![arrived];
            while let Some((from, delta)) = next.pop() {
                match self.accept(step, from, &delta) {
                    Ok(Taken::Stored) => next.extend(self.loose.release(delta.id())),
                    Ok(Taken::Known | Taken::Loose) => {}
                    Err(why) => step.note(Note::Refused { from, delta: delta.id(), why }),
                }
            }
        }
    }

    fn accept<V: View>(
        &mut self,
        step: &mut Step<'_, V>,
        from: PeerId,
        delta: &Delta,
    ) -> Result<Taken, Refused> {
        let elsewhere = delta.context() != self.config.context;
        if elsewhere && !self.config.planted.has(Bug::WrongContext) {
            return Err(Refused::WrongContext);
        }
        if step.over.get::<Places>(&delta.id()).is_some() {
            return Ok(Taken::Known);
        }
        if !self.config.roster.covers(delta.log()) {
            return Err(Refused::Stranger);
        }
        self.recognise(step, delta);
        if let Some(before) = delta.seq().prev() {
            match step.over.get::<Places>(&delta.header().prev) {
                None => return self.keep_loose(step, from, delta),
                Some(place) if place.log == *delta.log() && place.seq == before => {}
                Some(_) => return Err(Refused::NotContinuing),
            }
        }
        self.check_breadth(step, delta)?;
        match self.judge(step, delta, Some(from)) {
            Err(cause) => {
                self.make_room(step, delta, cause)?;
                self.store(step, delta);
                self.park(step, delta, cause);
            }
            Ok(outcome) => {
                self.store(step, delta);
                self.settle(step, delta.clone(), outcome);
            }
        }
        Ok(Taken::Stored)
    }

    /// An authentic delta of the very log that this node is writing, and that it lacks, means that
    /// this node was rolled back or runs twice. It never writes on there, not even after a restart.
    fn recognise<V: View>(&mut self, step: &mut Step<'_, V>, delta: &Delta) {
        let log = delta.log();
        if log.author == self.peer() && Some(log.incarnation) == self.own.incarnation {
            self.own.incarnation = None;
            self.reborn = Some(Reborn::RolledBack);
            step.over.put::<Owns>((), self.own.clone());
        }
    }

    fn keep_loose<V: View>(
        &mut self,
        step: &mut Step<'_, V>,
        from: PeerId,
        delta: &Delta,
    ) -> Result<Taken, Refused> {
        let kept = self.loose.keep(from, delta);
        if kept != Kept::Another {
            step.now.push(Effect::Fetch { wanted: delta.tip(), from: Some(from) });
        }
        if kept == Kept::No { Err(Refused::Loose) } else { Ok(Taken::Loose) }
    }

    /// Bounds how many logs an author may begin and how many branches a log may grow, unless others
    /// cite them.
    fn check_breadth<V: View>(&self, step: &Step<'_, V>, delta: &Delta) -> Result<(), Refused> {
        let log = delta.log();
        let row = self.logs.get(log);
        let stored = row.map(|row| &row.stored);
        let begins = stored.is_none_or(|tips| tips.is_empty());
        if begins
            && !row.is_some_and(|row| row.cited)
            && self.logs_of_authority(log) >= self.config.bounds.logs_per_authority
        {
            return Err(Refused::TooManyLogs);
        }
        let prev = delta.header().prev;
        let branches = |ends: &[(Seq, DeltaId)]| {
            ends.len() >= TIPS_PER_LOG && ends.iter().all(|(_, tip)| *tip != prev)
        };
        if stored.is_some_and(|tips| branches(tips.as_slice())) && !self.is_cited(step, delta) {
            return Err(Refused::TooManyTips);
        }
        Ok(())
    }

    /// Whether a delta of another member waits for this one, or for one that continues it and came
    /// before it.
    fn is_cited<V: View>(&self, step: &Step<'_, V>, delta: &Delta) -> bool {
        let by_another = |id: &DeltaId| {
            let place = step.over.get::<Places>(id);
            place.is_some_and(|place| place.log.author != delta.log().author)
        };
        let mut branch = vec![delta.id()];
        while let Some(id) = branch.pop() {
            let waiting = waiting_for(&step.over, Cause::Parent(id), DeltaId::ZERO);
            if waiting.iter().any(by_another) {
                return true;
            }
            branch.extend(self.loose.continuing(id));
        }
        false
    }

    /// How many logs are held that were begun by the same authority.
    fn logs_of_authority(&self, log: &LogId) -> usize {
        let first = LogId { incarnation: Incarnation::new(0), plane: Plane::Governance, ..*log };
        let same = |other: &LogId| (other.author, other.authority) == (log.author, log.authority);
        let logs = self.logs.range(first..).take_while(|(other, _)| same(other));
        logs.filter(|(_, row)| !row.stored.is_empty()).count()
    }

    /// Writes down a delta whose chain is held.
    pub(super) fn store<V: View>(&mut self, step: &mut Step<'_, V>, delta: &Delta) {
        step.over.put::<Deltas>(delta.id(), delta.clone());
        step.over.put::<Entries>((*delta.log(), delta.seq(), delta.id()), ());
        let row = self.logs.entry(*delta.log()).or_default();
        let was_forked = row.stored.is_forked();
        row.stored.extend(delta.header().prev, delta.seq(), delta.id());
        step.over.put::<Logs>(*delta.log(), row.clone());
        if row.stored.is_forked() && !was_forked {
            step.note(Note::Forked { tip: delta.tip() });
        }
    }

    /// What a delta makes of its turn, or what it has to wait for until that comes.
    pub(super) fn judge<V: View>(
        &mut self,
        step: &mut Step<'_, V>,
        delta: &Delta,
        from: Option<PeerId>,
    ) -> Result<Outcome, Cause> {
        let header = delta.header();
        let missing = graph::missing(&step.over, header);
        if let Some(parent) = missing.filter(|_| !self.config.planted.has(Bug::SkipParentCheck)) {
            Self::want(step, delta, from);
            return Err(Cause::Parent(parent.id));
        }
        if let Some(why) = graph::void(&step.over, header) {
            return Ok(Outcome::Void(why));
        }
        if header.hlc.is_ahead(step.now_ms) {
            return Err(Cause::Clock(header.hlc));
        }
        let epoch = header.seal.epoch().unwrap_or(EpochId::ZERO);
        let Some(key) = self.ring.keys.get(&epoch) else {
            return Err(Cause::Key(epoch));
        };
        let Ok(opened) = seal::open(delta, key) else {
            return Ok(Outcome::Void(graph::Void::Sealed));
        };
        match Payload::decode(&opened) {
            Ok(payload) => Ok(Outcome::Apply(payload)),
            Err(why) => graph::undecodable(&why).map(Outcome::Void),
        }
    }
}
