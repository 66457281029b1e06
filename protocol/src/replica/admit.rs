//! Deltas of others, on their way in.

use super::loose::Kept;
use super::parking::{place, waiting_for};
use super::reach::Reach;
use super::settle::Outcome;
use super::{Mode, Replica, Step};
use crate::delta::Delta;
use crate::effect::{Effect, Note, Reborn, Refused};
use crate::graph::{self, Cause, Status};
use crate::id::{DeltaId, EpochId, Incarnation, LogId, PeerId, Plane, Seq, Tip};
use crate::log::TIPS_PER_LOG;
use crate::op::Payload;
use crate::planted::Bug;
use crate::seal;
use crate::view::{Deltas, Entries, Logs, Owns, Places, View};

/// Branches of a log that a cut-off ends: where it ends cannot be told without the heads that are named,
/// and which branches lead to them shows late.
const TIPS_PER_CLIPPED_LOG: usize = 4 * TIPS_PER_LOG;

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
        self.calm(step);
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
        self.check_right(step, from, delta)?;
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

    /// What its author has no right to write is not kept. Of one who is not known yet, somebody may
    /// know more.
    fn check_right<V: View>(
        &mut self,
        step: &mut Step<'_, V>,
        from: PeerId,
        delta: &Delta,
    ) -> Result<(), Refused> {
        // The id of a genesis is the context's: it is the one, or belongs elsewhere.
        if delta.header().is_genesis() {
            return Ok(());
        }
        match self.government.reach(&step.over, &self.logs, &delta.tip()) {
            Reach::Within | Reach::Kept => {}
            Reach::Beyond => return Err(Refused::CutOff),
            Reach::Unknown => {
                if self.government.wonder(delta.log().authority) {
                    step.now.push(Effect::Sync { with: from });
                }
                return Err(Refused::Stranger);
            }
        }
        let governs = delta.log().plane == Plane::Governance;
        let held = self.government.held_of(delta.log().author);
        let is_full = held >= self.config.bounds.governance_per_member;
        // What a cut-off names is taken all the same: to remove a member is the cure.
        if governs && is_full && !self.government.is_named(delta.log()) {
            return Err(Refused::TooMuchGovernance);
        }
        Ok(())
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
        if self.worth_asking(delta.log()).is_some_and(|last| last < delta.seq()) {
            return Err(Refused::ParkingFull);
        }
        let kept = self.loose.keep(from, delta);
        if kept != Kept::Another {
            step.now.push(Effect::Fetch { wanted: delta.tip(), from: Some(from) });
        }
        if kept == Kept::No { Err(Refused::Loose) } else { Ok(Taken::Loose) }
    }

    /// Whether deltas of a log may be taken, as far as the number of its author's logs is concerned.
    pub fn has_room_for(&self, log: &LogId) -> bool {
        let row = self.logs.get(log);
        log.plane == Plane::Governance
            || row.is_some_and(|row| row.cited || !row.stored.is_empty())
            || self.government.is_named(log)
            || self.logs_of_authority(log) < self.config.bounds.logs_per_authority
    }

    /// Bounds how many data logs an author may begin and how many branches a log may grow, unless
    /// others cite them. Of governance, what a member may write in all is bounded: who may do what must
    /// not depend on which of its logs came first.
    fn check_breadth<V: View>(&self, step: &Step<'_, V>, delta: &Delta) -> Result<(), Refused> {
        let log = delta.log();
        let row = self.logs.get(log);
        let stored = row.map(|row| &row.stored);
        if !self.has_room_for(log) {
            return Err(Refused::TooManyLogs);
        }
        let prev = delta.header().prev;
        let most = match self.government.clip(log) {
            Some(_) => TIPS_PER_CLIPPED_LOG,
            None => TIPS_PER_LOG,
        };
        let branches = |ends: &[(Seq, DeltaId)]| {
            ends.len() >= most && ends.iter().all(|(_, tip)| *tip != prev)
        };
        if stored.is_some_and(|tips| branches(tips.as_slice())) && !self.is_cited(step, delta) {
            return Err(Refused::TooManyTips);
        }
        Ok(())
    }

    /// Whether a delta of another member waits for this one, or for one that continues it and came
    /// before it; or a cut-off ends its log there.
    fn is_cited<V: View>(&self, step: &Step<'_, V>, delta: &Delta) -> bool {
        let by_another = |id: &DeltaId| {
            let place = step.over.get::<Places>(id);
            place.is_some_and(|place| place.log.author != delta.log().author)
        };
        let clip = self.government.clip(delta.log());
        let mut branch = vec![delta.id()];
        while let Some(id) = branch.pop() {
            if clip.is_some_and(|clip| clip.misses(id)) {
                return true;
            }
            let mut after = DeltaId::ZERO;
            loop {
                let waiting = waiting_for(&step.over, Cause::Parent(id), after);
                if waiting.iter().any(by_another) {
                    return true;
                }
                let Some(last) = waiting.last() else { break };
                after = *last;
            }
            branch.extend(self.loose.continuing(id));
        }
        false
    }

    /// How many data logs are held that were begun by the same authority.
    fn logs_of_authority(&self, log: &LogId) -> usize {
        let first = LogId { incarnation: Incarnation::new(0), plane: Plane::Governance, ..*log };
        let same = |other: &LogId| (other.author, other.authority) == (log.author, log.authority);
        let logs = self.logs.range(first..).take_while(|(other, _)| same(other));
        let open = |log: &LogId| log.plane == Plane::Data && self.government.clip(log).is_none();
        logs.filter(|(log, row)| !row.stored.is_empty() && open(log)).count()
    }

    /// Writes down a delta whose chain is held. Its turn comes at once, or it is parked.
    pub(super) fn store<V: View>(&mut self, step: &mut Step<'_, V>, delta: &Delta) {
        self.crowd.let_in(delta.log());
        step.over.put::<Deltas>(delta.id(), delta.clone());
        let cause = Cause::Parent(delta.header().prev);
        let status = Status::Parked { cause, since_ms: step.now_ms };
        step.over.put::<Places>(delta.id(), place(delta, status));
        step.over.put::<Entries>((*delta.log(), delta.seq(), delta.id()), ());
        let row = self.logs.entry(*delta.log()).or_default();
        let (was_forked, ends) = (row.stored.is_forked(), row.stored.as_slice().len());
        row.stored.extend(delta.header().prev, delta.seq(), delta.id());
        step.over.put::<Logs>(*delta.log(), row.clone());
        if row.stored.is_forked() && !was_forked {
            step.note(Note::Forked { tip: delta.tip() });
        }
        if delta.log().plane == Plane::Governance {
            self.government.hold(delta.log().author);
        }
        let branches = row.stored.as_slice().len() > ends.max(1);
        let changed = self.government.extend(&step.over, delta, (row, branches));
        self.heed(step, changed);
    }

    /// What a delta makes of its turn, or what it has to wait for until that comes.
    pub(super) fn judge<V: View>(
        &mut self,
        step: &mut Step<'_, V>,
        delta: &Delta,
        from: Option<PeerId>,
    ) -> Result<Outcome, Cause> {
        let header = delta.header();
        let governs = header.log.plane == Plane::Governance;
        if !governs && self.reach(step, delta) != Reach::Within {
            // Its log has its turn from the start on, whatever its other parents do.
            return match self.government.is_settled(&step.over, header) {
                true => Ok(Outcome::Void(graph::Void::CutOff)),
                false => Err(Cause::Parent(header.prev)),
            };
        }
        let missing = self.government.missing(&step.over, &self.logs, header);
        if let Some(parent) = missing.filter(|_| !self.config.planted.has(Bug::SkipParentCheck)) {
            self.want(step, delta, from);
            return Err(Cause::Parent(parent.id));
        }
        if let Some(why) = self.void_by_past(step, delta) {
            return Ok(Outcome::Void(why));
        }
        if header.hlc.is_ahead(step.now_ms) {
            return Err(Cause::Clock(header.hlc));
        }
        if governs {
            return Self::judge_act(delta);
        }
        if self.config.mode == Mode::Replica {
            return Ok(Outcome::Keep);
        }
        let epoch = header.seal.epoch().unwrap_or(EpochId::ZERO);
        let Some(key) = self.government.keyring.get(&epoch) else {
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

    fn reach<V: View>(&self, step: &Step<'_, V>, delta: &Delta) -> Reach {
        self.government.reach(&step.over, &self.logs, &delta.tip())
    }

    fn void_by_past<V: View>(&self, step: &Step<'_, V>, delta: &Delta) -> Option<graph::Void> {
        let data = |tip: &Tip| (delta.log().plane, tip.log.plane) == (Plane::Data, Plane::Data);
        let parent = |tip| self.government.parent(&step.over, &self.logs, &tip);
        let parents = graph::parents(delta.header()).filter(data).map(parent);
        graph::void_by_past(delta.header().hlc, parents)
    }
}
