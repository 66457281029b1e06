//! Own writes: gathered calls become a delta, and heads beyond what it may name are joined first.

use std::ops::Bound;

use super::decide::fit;
use super::gather::{Added, Gathered, Gathering, fingerprint};
use super::memory::{REQUEST_MEMORY_MS, Remembered};
use super::settle::Outcome;
use super::{Asked, Entropy, Replica, Step};
use crate::clock::Hlc;
use crate::delta::{Delta, Draft, Suite, XCHACHA_NONCE_BYTES, seal_and_sign};
use crate::effect::{Effect, Note, Reborn, ReplyTo};
use crate::fold::{Origin, Stamp};
use crate::id::{DeltaId, ID_BYTES, Incarnation, LogId, Plane, Seq, Tip};
use crate::op::{Kind, Payload};
use crate::planted::Bug;
use crate::request::{Fault, Request, RequestId, Traces, Version, Written};
use crate::view::{RequestAges, Requests, View};

/// Stale answers forgotten with one step.
const FORGOTTEN_PER_STEP: usize = 32;

impl Replica {
    /// Sees to the calls that wait.
    pub(super) fn answer<V: View>(&mut self, step: &mut Step<'_, V>, entropy: &mut impl Entropy) {
        let mut calls = Vec::new();
        let refusal = self.refusal(step.now_ms);
        for _ in 0..self.share() {
            let Some(asked) = self.asked.pop() else { break };
            self.answered += 1;
            match (self.remembered(step, &asked.request), &refusal) {
                (Some(answer), _) => reply(step, asked.reply, answer),
                (None, Some(fault)) => reply(step, asked.reply, Err(fault.clone())),
                (None, None) => calls.push(asked),
            }
        }
        if !calls.is_empty() {
            self.write(step, entropy, calls);
        }
    }

    /// Why nothing can be written at present.
    fn refusal(&self, now_ms: u64) -> Option<Fault> {
        if !self.may_write() {
            let nobody = self.roster().members().is_empty();
            return Some(if nobody { Fault::Syncing } else { Fault::Forbidden });
        }
        if self.own.clock.is_ahead(now_ms) {
            return Some(Fault::Clock { off_ms: self.own.clock.ms().saturating_sub(now_ms) });
        }
        self.clocks.at_odds_ms(now_ms).map(|off_ms| Fault::Clock { off_ms })
    }

    /// The answer that a call with this id got before.
    fn remembered<V: View>(
        &self,
        step: &Step<'_, V>,
        request: &Request,
    ) -> Option<Result<Written, Fault>> {
        let remembered = step.over.get::<Requests>(request.id.as_ref()?)?;
        if remembered.is_stale(step.now_ms) {
            return None;
        }
        let same = remembered.fingerprint == fingerprint(request);
        Some(if same { Ok(remembered.again()) } else { Err(Fault::RequestReused) })
    }

    /// Makes one delta of as many calls as it takes; the others wait for the next step.
    fn write<V: View>(
        &mut self,
        step: &mut Step<'_, V>,
        entropy: &mut impl Entropy,
        calls: Vec<Asked>,
    ) {
        let author = self.peer();
        // The stamps that calls are judged by: later than all that is applied, as those of the
        // delta will be.
        let mut unborn = [0; ID_BYTES];
        entropy.fill(&mut unborn);
        let unborn = DeltaId::from_bytes(unborn);
        let origin = Origin { delta: unborn, author, hlc: Hlc::LAST };
        let mut gathering = Gathering::new(&step.over, origin);
        let mut calls = calls.into_iter();
        let (mut refused, mut full) = (Vec::new(), None);
        for asked in calls.by_ref() {
            match gathering.add(asked) {
                Added::Yes => {}
                Added::No(to, fault) => refused.push((to, fault)),
                Added::Full(asked) => {
                    full = Some(asked);
                    break;
                }
            }
        }
        let left = full.into_iter().chain(calls).collect::<Vec<_>>();
        self.answered = self.answered.saturating_sub(left.len());
        self.asked.put_back(left.into_iter());
        let (transactions, gathered) = gathering.finish();
        refused.into_iter().for_each(|(to, fault)| reply(step, to, Err(fault)));
        if gathered.is_empty() {
            return;
        }
        let delta = Payload::new(transactions)
            .map_err(|_| Fault::TooLarge { limit: "deltaBytes" })
            .and_then(|payload| self.author(step, entropy, payload));
        match delta {
            Ok(delta) => self.confirm(step, &delta, unborn, gathered),
            Err(fault) => {
                let askers = gathered.iter().flat_map(Gathered::askers);
                askers.for_each(|to| reply(step, to, Err(fault.clone())));
            }
        }
    }

    /// Writes a delta on top of all that is applied. Heads beyond what it may name are joined first.
    fn author<V: View>(
        &mut self,
        step: &mut Step<'_, V>,
        entropy: &mut impl Entropy,
        payload: Payload,
    ) -> Result<Delta, Fault> {
        self.prepare(step, entropy).map_err(|_| Fault::Exhausted)?;
        loop {
            let prev = self.own_log(Plane::Data).map_or(DeltaId::ZERO, |log| self.end_of(&log).1);
            let heads = self.heads.values().filter(|tip| tip.id != prev);
            let (deps, all) = fit(heads.copied().collect());
            match all {
                true => return self.append(step, entropy, deps, payload),
                false => self.append(step, entropy, deps, Payload::merge())?,
            };
        }
    }

    /// Begins new logs if those before must not go on.
    pub(super) fn renew<V: View>(&mut self, step: &mut Step<'_, V>, entropy: &mut impl Entropy) {
        let authority = self.government.authority(self.peer());
        let another = authority.is_some() && self.own.authority != authority;
        if self.reborn.is_none() && another && !self.config.planted.has(Bug::KeepAuthority) {
            self.reborn = Some(Reborn::Authority);
        }
        let own = [Plane::Governance, Plane::Data].map(|plane| self.own_log(plane));
        for log in own.iter().flatten() {
            let waits = self.logs.get(log).is_some_and(|row| row.stored != row.applied);
            let why = waits.then_some(Reborn::Waiting);
            let closed = self.government.is_closed(log).then_some(Reborn::Closed);
            self.reborn = self.reborn.or(closed).or(why);
        }
        if let Some(why) = self.reborn.take() {
            let new = self.mint(entropy);
            self.own.incarnation = Some(new);
            self.own.authority = authority;
            self.own.gov_said.clear();
            step.note(Note::Incarnation { new, why });
        }
    }

    /// The log that this node writes.
    pub(super) fn own_log(&self, plane: Plane) -> Option<LogId> {
        let author = self.peer();
        let mut authority = self.government.authority(author)?;
        if self.config.planted.has(Bug::KeepAuthority) {
            authority = self.own.authority.unwrap_or(authority);
        }
        Some(LogId { author, authority, incarnation: self.own.incarnation?, plane })
    }

    fn mint(&self, entropy: &mut impl Entropy) -> Incarnation {
        let mut number = [0; 8];
        entropy.fill(&mut number);
        if self.config.planted.has(Bug::ReuseIncarnation) {
            number = [7; 8];
        }
        Incarnation::new(u64::from_le_bytes(number))
    }

    /// The place after the end of an own log, and the delta at its end.
    pub(super) fn end_of(&self, log: &LogId) -> (Seq, DeltaId) {
        let ends = self.logs.get(log).map(|row| row.stored.as_slice()).unwrap_or_default();
        ends.last().map_or((Seq::FIRST, DeltaId::ZERO), |(seq, id)| (seq.next(), *id))
    }

    fn append<V: View>(
        &mut self,
        step: &mut Step<'_, V>,
        entropy: &mut impl Entropy,
        deps: Vec<Tip>,
        payload: Payload,
    ) -> Result<Delta, Fault> {
        let log = self.own_log(Plane::Data).ok_or(Fault::Forbidden)?;
        let (seq, prev) = self.end_of(&log);
        let governance = self.governance_heads(DeltaId::ZERO);
        let said = seq != Seq::FIRST && governance == self.own.gov_said;
        let hlc = self.own.clock.after(step.now_ms).ok_or(Fault::Exhausted)?;
        let draft = Draft {
            context: self.config.context,
            log,
            seq,
            prev,
            deps,
            gov_heads: (!said).then(|| governance.clone()),
            hlc,
            suite: Suite::AesGcmSiv,
            payload: payload.encode(),
        };
        let mut nonce = [0; XCHACHA_NONCE_BYTES];
        entropy.fill(&mut nonce);
        let key = self.government.choose().ok_or(Fault::Syncing)?;
        let sealed = seal_and_sign(draft, Some(&key), nonce, &self.config.keys);
        let delta = sealed.map_err(|_| Fault::TooLarge { limit: "deltaBytes" })?;
        self.own.gov_said = governance;
        self.store(step, &delta);
        self.settle(step, delta.clone(), Outcome::Apply(payload));
        self.send_out(step, &delta);
        Ok(delta)
    }

    /// Answers the calls that are part of a delta, and remembers the answers.
    fn confirm<V: View>(
        &mut self,
        step: &mut Step<'_, V>,
        delta: &Delta,
        unborn: DeltaId,
        calls: Vec<Gathered>,
    ) {
        for call in calls {
            let version = |trace: &Option<(Kind, Traces)>| {
                trace.map(|(kind, traces)| born(traces, unborn, delta).version(kind))
            };
            let (id, fingerprint) = call.named.unzip();
            let remembered = Remembered {
                fingerprint: fingerprint.unwrap_or_default(),
                at_ms: step.now_ms,
                delta: delta.id(),
                seq: delta.seq(),
                cursor: self.own.feed,
                versions: call.traces.iter().map(version).collect::<Vec<Option<Version>>>(),
            };
            let written = Written { duplicate: false, ..remembered.again() };
            reply(step, call.reply, Ok(written));
            for to in call.repeated {
                reply(step, to, Ok(remembered.again()));
            }
            if let Some(id) = id {
                self.requests_since_ms = self.requests_since_ms.min(remembered.at_ms);
                remember(step, id, remembered);
            }
        }
    }

    /// Forgets answers that nobody may ask for any more, a few at a time.
    pub(super) fn forget_requests<V: View>(&mut self, step: &mut Step<'_, V>) {
        let is_kept = |at_ms: u64| at_ms.saturating_add(REQUEST_MEMORY_MS) >= step.now_ms;
        if step.over.is_empty() || is_kept(self.requests_since_ms) {
            return;
        }
        let oldest = step.over.scan::<RequestAges>(Bound::Unbounded, FORGOTTEN_PER_STEP);
        // Where there is none, the first that comes says so.
        self.requests_since_ms = oldest.last().map_or(u64::MAX, |((at_ms, _), ())| *at_ms);
        for ((at_ms, id), ()) in oldest {
            if is_kept(at_ms) {
                self.requests_since_ms = at_ms;
                break;
            }
            if step.over.get::<Requests>(&id).is_some_and(|row| row.at_ms == at_ms) {
                step.over.remove::<Requests>(id.clone());
            }
            step.over.remove::<RequestAges>((at_ms, id));
        }
    }
}

fn remember<V: View>(step: &mut Step<'_, V>, id: RequestId, remembered: Remembered) {
    step.over.put::<RequestAges>((remembered.at_ms, id.clone()), ());
    step.over.put::<Requests>(id, remembered);
}

fn reply<V>(step: &mut Step<'_, V>, to: ReplyTo, answer: Result<Written, Fault>) {
    step.held.push(Effect::Reply { to, answer });
}

/// Traces left by a delta before it had an id and a clock, with both.
fn born(traces: Traces, unborn: DeltaId, delta: &Delta) -> Traces {
    if traces.stamp.delta != unborn {
        return traces;
    }
    let stamp = Stamp { hlc: delta.header().hlc, delta: delta.id(), op: traces.stamp.op };
    Traces { stamp, ..traces }
}
