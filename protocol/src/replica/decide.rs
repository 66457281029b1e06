//! What this node decides about who may do what: its own governance deltas.

use super::{Entropy, Mode, Replica, Step};
use crate::clock::Hlc;
use crate::delta::{Delta, Draft, Suite, XCHACHA_NONCE_BYTES, seal_and_sign};
use crate::effect::{Decided, Effect, ReplyTo, Undecided};
use crate::governance::{Act, Command, CutOff, Plan, Refusal, Role, Sight, plan};
use crate::id::{DeltaId, PeerId, Plane, Seq, Tip};
use crate::limits::{DEPS_PER_DELTA, DEPS_PER_LOG};
use crate::planted::Bug;
use crate::replica::settle::Outcome;
use crate::seal::EPOCH_KEY_BYTES;
use crate::view::{Keys, Outbox, Places, View};

/// How many logs of an own right may stay open. Others close the door at twice as many.
const OPEN_LOGS: usize = 32;
/// How many finished logs are ended with one write.
const ENDED_PER_WRITE: usize = 4;

impl Replica {
    /// Sees to the decisions that wait.
    pub(super) fn decide<V: View>(&mut self, step: &mut Step<'_, V>, entropy: &mut impl Entropy) {
        while !self.is_rebuilding()
            && let Some((command, to)) = self.deciding.pop_front()
        {
            let answer = self.carry_out(step, entropy, command);
            step.held.push(Effect::Decided { to, answer });
        }
    }

    /// Nothing is decided any more.
    pub(super) fn decline<V: View>(&mut self, step: &mut Step<'_, V>) {
        for (_, to) in std::mem::take(&mut self.deciding) {
            step.held.push(Effect::Decided { to, answer: Err(Undecided::Stopping) });
        }
    }

    /// Lets a decision wait for its turn, or says at once why not.
    pub(super) fn ask_to_decide(&mut self, command: Command, to: ReplyTo) -> Option<Effect> {
        let refused = match (self.stopping, self.deciding.len() < self.config.bounds.decisions) {
            (true, _) => Undecided::Stopping,
            (false, false) => Undecided::Busy,
            (false, true) => {
                self.deciding.push_back((command, to));
                return None;
            }
        };
        Some(Effect::Decided { to, answer: Err(refused) })
    }

    fn carry_out<V: View>(
        &mut self,
        step: &mut Step<'_, V>,
        entropy: &mut impl Entropy,
        command: Command,
    ) -> Result<Decided, Undecided> {
        if let Some(off_ms) = self.clocks.at_odds_ms(step.now_ms) {
            return Err(Undecided::Clock { off_ms });
        }
        if self.config.mode == Mode::Replica {
            return Err(Refusal::NotAMember.into());
        }
        let mut fresh = [0; EPOCH_KEY_BYTES];
        entropy.fill(&mut fresh);
        let ends = matches!(command, Command::Close { .. });
        let accepted = |member| match ends && member == self.peer() {
            true => self.believed(step),
            false => self.accepted(member),
        };
        let sight = Sight {
            roster: &self.government.roster,
            keyring: &self.government.keyring,
            me: self.peer(),
            now_ms: step.now_ms,
            accepted: &accepted,
        };
        let Plan { acts, epoch, falls, already } = plan(&sight, command, fresh)?;
        if let Some(delta) = already {
            return Ok(Decided { delta, falls });
        }
        if !acts.iter().all(|act| act.check().is_ok()) {
            return Err(Undecided::TooLarge);
        }
        if let Some(key) = epoch {
            step.over.put::<Keys>(key.id(), key.clone());
            self.government.keyring.add(key);
        }
        let mut first = None;
        for act in acts {
            let delta = self.append_act(step, entropy, act)?;
            first.get_or_insert_with(|| delta.id());
        }
        let delta = first.ok_or(Undecided::Refused(Refusal::AlreadySo))?;
        Ok(Decided { delta, falls })
    }

    /// The logs of a member, up to where they had their turn here.
    fn accepted(&self, member: PeerId) -> Vec<CutOff> {
        let logs = self.logs.iter().filter(|(log, _)| log.author == member);
        let cuts = logs.map(|(log, row)| {
            let applied = self.government.clip(log).map_or(&row.applied, |clip| &clip.applied);
            CutOff::at(*log, applied.as_slice().iter().copied())
        });
        cuts.filter(|cut| !cut.heads.is_empty()).collect()
    }

    /// The own logs, up to where their clocks are believed now. What was written under a clock that
    /// was wrong is left behind when its log is ended.
    fn believed<V: View>(&self, step: &Step<'_, V>) -> Vec<CutOff> {
        let mut cuts = self.accepted(self.peer());
        for cut in &mut cuts {
            for (seq, id) in &mut cut.heads {
                while let Some(place) = step.over.get::<Places>(id)
                    && place.hlc.is_ahead(step.now_ms)
                    && let Some(before) = seq.prev()
                {
                    (*seq, *id) = (before, place.prev);
                }
            }
            let ahead = |(_, id): &(Seq, DeltaId)| {
                step.over.get::<Places>(id).is_some_and(|place| place.hlc.is_ahead(step.now_ms))
            };
            cut.heads.retain(|head| !ahead(head));
            cut.heads.sort_unstable();
            cut.heads.dedup();
        }
        cuts
    }

    /// Writes down an act, under the right that this node has at the moment.
    pub(super) fn append_act<V: View>(
        &mut self,
        step: &mut Step<'_, V>,
        entropy: &mut impl Entropy,
        act: Act,
    ) -> Result<Delta, Undecided> {
        // What others would not take would divide this node from them.
        if self.decided() >= self.config.bounds.governance_per_member {
            return Err(Undecided::Exhausted);
        }
        self.renew(step, entropy);
        let log = self.own_log(Plane::Governance).ok_or(Refusal::NotAMember)?;
        let (seq, prev) = self.end_of(&log);
        // Nothing is judged by the clocks of governance, so one that was wrong once does not stay.
        let clock = self.own.gov_clock;
        let clock = if clock.is_ahead(step.now_ms) { Hlc::ZERO } else { clock };
        let hlc = clock.after(step.now_ms).ok_or(Undecided::TooLarge)?;
        let draft = Draft {
            context: self.config.context,
            log,
            seq,
            prev,
            deps: self.governance_heads(prev),
            gov_heads: None,
            hlc,
            suite: Suite::AesGcmSiv,
            payload: act.encode(),
        };
        let sealed = seal_and_sign(draft, None, [0; XCHACHA_NONCE_BYTES], &self.config.keys);
        let delta = sealed.map_err(|_| Undecided::TooLarge)?;
        self.store(step, &delta);
        self.settle(step, delta.clone(), Outcome::Govern(Box::new(act)));
        self.send_out(step, &delta);
        match self.government.roster.counts(delta.id()) {
            true => Ok(delta),
            false => Err(Undecided::Void),
        }
    }

    /// An own delta goes to the mesh once it is durable.
    pub(super) fn send_out<V: View>(&self, step: &mut Step<'_, V>, delta: &Delta) {
        if !self.config.planted.has(Bug::ForgetOutbox) {
            step.over.put::<Outbox>(delta.id(), ());
        }
        step.held.push(Effect::Publish(delta.clone()));
    }

    /// Before a write: sees to it that there is an epoch that members can open, all of them, and nobody
    /// else; and that not too many finished logs stay open.
    pub(super) fn prepare<V: View>(
        &mut self,
        step: &mut Step<'_, V>,
        entropy: &mut impl Entropy,
    ) -> Result<(), Undecided> {
        self.renew(step, entropy);
        if self.government.choose().is_none() {
            self.rotate(step, entropy)?;
        }
        self.hand_on(step, entropy)?;
        self.end_old_logs(step, entropy)
    }

    /// Heads of governance, as many as a header may name.
    pub(super) fn governance_heads(&self, prev: DeltaId) -> Vec<Tip> {
        let heads = self.government.heads.values().filter(|tip| tip.id != prev);
        fit(heads.copied().collect()).0
    }

    /// Ends the oldest finished logs, so that others go on taking new ones.
    fn end_old_logs<V: View>(
        &mut self,
        step: &mut Step<'_, V>,
        entropy: &mut impl Entropy,
    ) -> Result<(), Undecided> {
        let Some(own) = self.own_log(Plane::Data) else { return Ok(()) };
        let same =
            |log: &crate::id::LogId| (log.author, log.authority) == (own.author, own.authority);
        let open = self.logs.iter().filter(|(log, row)| {
            same(log)
                && log.incarnation != own.incarnation
                && log.plane == Plane::Data
                && !row.applied.is_empty()
                && row.stored == row.applied
                && self.government.clip(log).is_none()
        });
        let mut open = open.map(|(log, row)| (last_clock(step, row), *log)).collect::<Vec<_>>();
        if open.len() < OPEN_LOGS {
            return Ok(());
        }
        open.sort_unstable();
        for (_, log) in open.into_iter().take(ENDED_PER_WRITE) {
            let heads = self.logs.get(&log).map(|row| row.applied.as_slice().to_vec());
            let cut = CutOff::at(log, heads.unwrap_or_default());
            self.append_act(step, entropy, Act::Close { cut })?;
        }
        Ok(())
    }

    /// How much governance this member has written.
    pub(super) fn decided(&self) -> usize {
        self.government.held_of(self.peer())
    }

    /// Whether this node may write data.
    pub(super) fn may_write(&self) -> bool {
        let role = self.government.role(self.peer());
        role.is_some_and(Role::writes) && self.config.mode == Mode::Full
    }
}

fn last_clock<V: View>(step: &Step<'_, V>, row: &crate::log::LogRow) -> Hlc {
    let clock = |(_, id): &(_, DeltaId)| Some(step.over.get::<Places>(id)?.hlc);
    row.applied.as_slice().iter().filter_map(clock).max().unwrap_or_default()
}

/// As many tips as a header may name, and whether these are all.
pub(super) fn fit(mut heads: Vec<Tip>) -> (Vec<Tip>, bool) {
    heads.sort_unstable();
    let total = heads.len();
    let mut fitting: Vec<Tip> = Vec::new();
    for tip in heads {
        let of_log = fitting.iter().rev().take_while(|dep| dep.log == tip.log).count();
        if (of_log as u64) < DEPS_PER_LOG && (fitting.len() as u64) < DEPS_PER_DELTA {
            fitting.push(tip);
        }
    }
    let all = fitting.len() == total;
    (fitting, all)
}
