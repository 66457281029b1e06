//! The machine of one context: everything that can happen to it, and what follows.
//!
//! It is stepped by inputs and returns effects. What comes while a commit is on its way is gathered, and
//! makes the next step once the commit is durable; where many ask at once, the next step is made ahead of
//! that, on what the commit leaves behind, and what derives from it is held back behind the commit. Within a
//! step the order is fixed: what was waiting and can go on, deltas of others, own writes, the heartbeat.
//!
//! What it keeps in memory is a mirror of rows that the store holds too: the ends of the logs, the
//! root, its own doings. Per delta it keeps nothing.

mod admit;
pub mod beat;
mod boot;
mod crowd;
mod decide;
pub mod feed;
mod found;
mod gather;
mod govern;
mod government;
mod loose;
pub mod memory;
mod parking;
mod reach;
pub mod rebuild;
mod settle;
mod tend;
mod write;

use std::collections::{BTreeMap, VecDeque};

use crate::delta::Delta;
use crate::effect::{Commit, Effect, Effects, Held, Input, Note, Reborn, ReplyTo};
use crate::governance::Command;
use crate::graph::Cause;
use crate::id::{ContextId, DeltaId, LogId, PeerId, Tip};
use crate::keys::NodeKeys;
use crate::log::LogRow;
use crate::overlay::{Memo, Overlay};
use crate::planted::Planted;
use crate::replica::beat::{Clocks, Rhythm};
use crate::replica::crowd::Crowd;
pub use crate::replica::found::found;
use crate::replica::government::Government;
use crate::replica::loose::Loose;
use crate::replica::memory::Own;
use crate::replica::parking::Parking;
pub use crate::replica::parking::{Parked, parked};
use crate::replica::rebuild::Rebuild;
use crate::request::{Fault, Request};
use crate::root::Root;
use crate::seal::EpochKey;
use crate::view::{Keys, Outbox, Owns, Roots, View};

/// For how many steps making state anew waits, if more has come that may change it.
const MOST_GATHERED: usize = 16;

/// Where randomness comes from.
pub trait Entropy {
    /// Fills a buffer with bytes that nobody can foresee.
    fn fill(&mut self, bytes: &mut [u8]);
}

impl<F: FnMut(&mut [u8])> Entropy for F {
    fn fill(&mut self, bytes: &mut [u8]) {
        self(bytes);
    }
}

/// When a commit counts as durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// When it is synced: it survives a power loss.
    Fsync,
    /// When the system has it: it survives the end of the process. After an unclean stop the node
    /// goes on in a new log, since it may have lost what others hold.
    Buffered,
}

/// What a node is to a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A member, or one who will be.
    Full,
    /// One who keeps everything for the members and can read none of it.
    Replica,
}

/// How much may gather in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Writes that wait for their turn; one more is told that the node is busy.
    pub writes: usize,
    /// Bytes of them.
    pub write_bytes: u64,
    /// Bytes of deltas that wait for their turn; those beyond are left to be fetched again.
    pub arrived_bytes: u64,
    /// Deltas of others that make one step.
    pub deltas_per_step: usize,
    /// Bytes of deltas whose chain is not held yet.
    pub loose_bytes: u64,
    /// Bytes of stored deltas of one member that wait.
    pub parked_bytes_per_member: u64,
    /// Bytes of stored deltas that wait.
    pub parked_bytes: u64,
    /// Open logs of one authority that are taken without being cited.
    pub logs_per_authority: usize,
    /// Governance deltas of one member that are taken.
    pub governance_per_member: usize,
    /// Decisions that wait for their turn.
    pub decisions: usize,
    /// Writes that have to wait for a step to be made ahead of the commit that is on its way. Where there are
    /// twice as many, steps take half of them each, so that one is made while the other is written.
    pub writes_ahead: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            writes: 1_024,
            write_bytes: 16 * 1024 * 1024,
            arrived_bytes: 8 * 1024 * 1024,
            deltas_per_step: 256,
            loose_bytes: 4 * 1024 * 1024,
            parked_bytes_per_member: crate::limits::PARKED_BYTES_PER_MEMBER,
            parked_bytes: crate::limits::PARKED_BYTES_PER_CONTEXT,
            logs_per_authority: 64,
            governance_per_member: 16_384,
            decisions: 64,
            writes_ahead: 24,
        }
    }
}

/// What a replica is given when it is made.
#[derive(Debug, Clone)]
pub struct Config {
    /// The context.
    pub context: ContextId,
    /// This node's keys.
    pub keys: NodeKeys,
    /// What this node is to it.
    pub mode: Mode,
    /// When a commit counts as durable.
    pub durability: Durability,
    /// How much may gather.
    pub bounds: Bounds,
    /// Bugs, in tests of tests.
    pub planted: Planted,
}

/// A write that waits for its turn.
#[derive(Debug)]
struct Asked {
    request: Request,
    reply: ReplyTo,
}

/// Writes that wait for their turn.
#[derive(Debug, Default)]
struct Asking {
    queue: VecDeque<Asked>,
    bytes: u64,
}

impl Asking {
    /// Lets one wait, if there is room; the first always has it.
    fn push(&mut self, asked: Asked, bounds: &Bounds) -> Result<(), ReplyTo> {
        let bytes = self.bytes.saturating_add(asked.request.bytes());
        let fits = self.queue.len() < bounds.writes && bytes <= bounds.write_bytes;
        let alone = self.queue.is_empty() && bounds.writes > 0;
        if !fits && !alone {
            return Err(asked.reply);
        }
        self.bytes = bytes;
        self.queue.push_back(asked);
        Ok(())
    }

    /// Those that were taken out last are the first to have their turn.
    fn put_back(&mut self, taken: impl DoubleEndedIterator<Item = Asked>) {
        for asked in taken.rev() {
            self.bytes = self.bytes.saturating_add(asked.request.bytes());
            self.queue.push_front(asked);
        }
    }

    fn pop(&mut self) -> Option<Asked> {
        let asked = self.queue.pop_front()?;
        self.bytes = self.bytes.saturating_sub(asked.request.bytes());
        Some(asked)
    }

    fn len(&self) -> usize {
        self.queue.len()
    }

    fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

/// Deltas of others that wait for their turn.
#[derive(Debug, Default)]
struct Arrived {
    queue: VecDeque<(PeerId, Delta)>,
    bytes: u64,
}

impl Arrived {
    fn push(&mut self, from: PeerId, delta: Delta) {
        self.bytes += delta.bytes().len() as u64;
        self.queue.push_back((from, delta));
    }

    fn pop(&mut self) -> Option<(PeerId, Delta)> {
        let (from, delta) = self.queue.pop_front()?;
        self.bytes = self.bytes.saturating_sub(delta.bytes().len() as u64);
        Some((from, delta))
    }
}

/// The machine of one context.
#[derive(Debug)]
pub struct Replica {
    config: Config,
    government: Government,
    own: Own,
    root: Root,
    logs: BTreeMap<LogId, LogRow>,
    /// The applied data deltas that none applied cites. Rows of them come and go with each delta: where that is
    /// stored, what went lies in the way of who goes through what is there.
    heads: BTreeMap<DeltaId, Tip>,
    parking: Parking,
    crowd: Crowd,
    /// What has changed since the last step, so that those who wait for it can go on.
    stirred: Vec<Cause>,
    loose: Loose,
    arrived: Arrived,
    asked: Asking,
    /// Decisions that wait for their turn.
    deciding: VecDeque<(Command, ReplyTo)>,
    /// Own deltas that went out and still stand in the outbox.
    published: Vec<DeltaId>,
    /// Keys that came by themselves.
    learnt: Vec<EpochKey>,
    /// Whether it is to be written down who let this node in.
    joined: bool,
    /// For how many steps making state anew has waited for more that changes it.
    gathered: usize,
    /// No answer that is remembered is older than this.
    requests_since_ms: u64,
    /// Why the next write begins a new log.
    reborn: Option<Reborn>,
    rhythm: Rhythm,
    clocks: Clocks,
    /// When keys that may be due to somebody are to be handed on.
    tend_at_ms: Option<u64>,
    /// For each commit on its way, how many writes it answers.
    flights: VecDeque<usize>,
    /// Writes that the step in the making answers.
    answered: usize,
    stopping: bool,
    /// What a start has to say once.
    opening: Vec<Effect>,
}

/// One step in the making.
struct Step<'v, V> {
    over: Overlay<'v, V>,
    /// What derives from the step.
    held: Vec<Effect>,
    /// What does not.
    now: Vec<Effect>,
    now_ms: u64,
}

impl<V> Step<'_, V> {
    fn note(&mut self, note: Note) {
        self.now.push(Effect::Note(note));
    }
}

impl Replica {
    /// Takes an input and says what follows. `view` shows every commit that was handed out, whether it is
    /// durable by now or not, and nothing else.
    pub fn handle<V: View>(
        &mut self,
        input: Input,
        now_ms: u64,
        entropy: &mut impl Entropy,
        view: &V,
    ) -> Effects {
        let mut effects = Effects { now: std::mem::take(&mut self.opening), ..Effects::default() };
        let is_turn = matches!(input, Input::Committed | Input::Ahead);
        self.take(input, now_ms, &mut effects.now);
        // Before the step: what a heartbeat tells of is durable.
        if !self.is_in_flight() && self.rhythm.is_due(now_ms) && !self.stopping {
            effects.now.push(Effect::Beat(self.heartbeat(now_ms, entropy)));
            self.rhythm.beaten(now_ms);
        }
        if !self.is_in_flight() || is_turn && self.may_go_ahead(now_ms) {
            self.step(now_ms, entropy, view, &mut effects);
        }
        effects.wake_at_ms = self.wake_at_ms(now_ms, view);
        effects
    }

    /// Whether everything it was given has been seen to, and nothing is in flight. After
    /// [`Input::Stop`] this means that it may be dropped.
    pub fn is_idle(&self) -> bool {
        let waiting = !self.asked.is_empty() || !self.arrived.queue.is_empty();
        let waiting = waiting || !self.deciding.is_empty() || !self.stirred.is_empty();
        let rests = if self.stopping { self.own.clean } else { !self.is_rebuilding() };
        !self.is_in_flight() && !waiting && rests && !self.government.restless
    }

    fn is_in_flight(&self) -> bool {
        !self.flights.is_empty()
    }

    /// Whether [`Input::Ahead`] makes the next commit now, while another is on its way.
    pub fn may_go_ahead(&self, now_ms: u64) -> bool {
        // A heartbeat, the end and making state anew wait until nothing is on its way.
        let is_free = !self.rhythm.is_due(now_ms) && !self.stopping && !self.is_rebuilding();
        self.flights.len() == 1 && self.asked.len() >= self.config.bounds.writes_ahead && is_free
    }

    /// How many of those who wait have their turn in one step.
    fn share(&self) -> usize {
        let all = self.asked.len() + self.flights.iter().sum::<usize>();
        let is_crowded = all >= self.config.bounds.writes_ahead.saturating_mul(2);
        if is_crowded { all.div_ceil(2) } else { all }
    }

    /// Bytes of deltas that it can be given before it has seen to others.
    pub fn room(&self) -> u64 {
        self.config.bounds.arrived_bytes.saturating_sub(self.arrived.bytes)
    }

    /// Who this node is.
    pub fn peer(&self) -> PeerId {
        self.config.keys.peer()
    }

    /// The context.
    pub fn context(&self) -> ContextId {
        self.config.context
    }

    /// The root of the state, as of the last step.
    pub fn root(&self) -> &Root {
        &self.root
    }

    fn take(&mut self, input: Input, now_ms: u64, now: &mut Vec<Effect>) {
        match input {
            Input::Write { request, reply } => self.ask(request, reply, now),
            Input::Deltas { from, deltas } => self.arrive(from, deltas, now),
            Input::Committed => drop(self.flights.pop_front()),
            Input::Ahead => {}
            Input::Published(deltas) => self.published.extend(deltas),
            Input::Heartbeat { from, beat } => self.hear(from, &beat, now_ms, now),
            Input::Key(key) => self.learnt.push(key),
            Input::Decide { command, reply } => {
                now.extend(self.ask_to_decide(command, reply));
            }
            Input::Agreed { with } => self.agree(with),
            Input::Joined { by } => {
                self.own.inviter = Some(by);
                self.joined = true;
            }
            Input::Rebuild => self.own.rebuild = self.own.rebuild.or(Some(Rebuild::Due)),
            Input::Tick => {}
            Input::Stop => self.stopping = true,
        }
    }

    fn ask(&mut self, request: Request, reply: ReplyTo, now: &mut Vec<Effect>) {
        let refused = match self.stopping {
            true => Err((reply, Fault::Stopping)),
            false => {
                let kept = self.asked.push(Asked { request, reply }, &self.config.bounds);
                kept.map_err(|reply| (reply, Fault::Busy))
            }
        };
        if let Err((to, fault)) = refused {
            now.push(Effect::Reply { to, answer: Err(fault) });
        }
    }

    fn arrive(&mut self, from: PeerId, deltas: Vec<Delta>, now: &mut Vec<Effect>) {
        if self.stopping {
            return;
        }
        for delta in deltas {
            let bytes = delta.bytes().len() as u64;
            if self.arrived.bytes + bytes <= self.config.bounds.arrived_bytes {
                self.arrived.push(from, delta);
            } else {
                now.push(Effect::Fetch { wanted: delta.tip(), from: Some(from) });
            }
        }
    }

    fn step<V: View>(
        &mut self,
        now_ms: u64,
        entropy: &mut impl Entropy,
        view: &V,
        effects: &mut Effects,
    ) {
        let view = Memo::new(view);
        let mut step =
            Step { over: Overlay::new(&view), held: Vec::new(), now: Vec::new(), now_ms };
        self.go_on(&mut step, entropy);
        if !step.over.is_empty() {
            self.rhythm.excite(now_ms);
        }
        let was_clean = self.own.clean;
        self.sweep(&mut step);
        effects.now.append(&mut step.now);
        let answered = std::mem::take(&mut self.answered);
        if step.over.is_empty() {
            match self.is_in_flight() {
                true => effects.behind = Held(step.held),
                false => effects.now.append(&mut step.held),
            }
            return;
        }
        step.over.put::<Owns>((), self.own.clone());
        step.over.put::<Roots>((), self.root.clone());
        self.flights.push_back(answered);
        step.held.sort_by_key(rank);
        // A clean end that is taken back by a power loss would bring back a log that others know more of.
        let must_sync = was_clean && !self.own.clean;
        let batch = step.over.into_batch();
        effects.commit = Some(Commit { batch, must_sync, held: Held(step.held) });
    }

    fn go_on<V: View>(&mut self, step: &mut Step<'_, V>, entropy: &mut impl Entropy) {
        self.take_keys(step);
        // What has come meanwhile may change the same again: it is made anew once for all of it.
        let gathers = self.own.rebuild == Some(Rebuild::Due)
            && self.gathered < MOST_GATHERED
            && !self.arrived.queue.is_empty();
        if self.is_rebuilding() && !gathers {
            self.gathered = 0;
            match self.stopping {
                true => self.give_up(step),
                false => self.rebuild(step),
            }
            return;
        }
        self.gathered += usize::from(self.is_rebuilding());
        self.wake_stirred(step);
        self.wake_clocks(step);
        self.calm(step);
        self.admit(step);
        self.ask_again(&mut step.now);
        if std::mem::take(&mut self.joined) {
            step.over.put::<Owns>((), self.own.clone());
        }
        self.decide(step, entropy);
        if !self.is_rebuilding() {
            self.answer(step, entropy);
            self.tend(step, entropy);
        }
    }

    /// Takes in the keys that came, and those that they lead to.
    fn take_keys<V: View>(&mut self, step: &mut Step<'_, V>) {
        let learnt = std::mem::take(&mut self.learnt);
        if self.config.mode == Mode::Replica || learnt.is_empty() {
            return;
        }
        let Government { keyring, roster, .. } = &mut self.government;
        let mut new = learnt.into_iter().filter(|key| keyring.add(key.clone())).collect::<Vec<_>>();
        new.extend(keyring.follow(roster));
        for key in new {
            self.stirred.push(Cause::Key(key.id()));
            self.government.forget_choice();
            step.over.put::<Keys>(key.id(), key);
        }
    }

    /// What waits while the node stops in the middle of making state anew.
    fn give_up<V: View>(&mut self, step: &mut Step<'_, V>) {
        self.decline(step);
        self.stirred.clear();
        self.government.restless = false;
        while self.arrived.pop().is_some() {}
        while let Some(asked) = self.asked.pop() {
            step.held.push(Effect::Reply { to: asked.reply, answer: Err(Fault::Stopping) });
        }
    }

    /// A peer knows the same governance. Whoever lets somebody in is believed once another member
    /// knows of it.
    fn agree(&mut self, with: PeerId) {
        self.government.agree();
        let known = self.government.role(with).is_some();
        if known && self.own.inviter.is_some_and(|inviter| inviter != with) {
            self.own.inviter = None;
        }
    }

    /// Whether nobody but the one who let this node in has been seen to know of it, though there is
    /// somebody else.
    pub fn is_provisional(&self) -> bool {
        let Some(inviter) = self.own.inviter else { return false };
        let others = self.roster().members();
        others.keys().any(|member| *member != inviter && *member != self.peer())
    }

    /// Housekeeping that rides along with a commit or the end: forgets what went out and what is
    /// stale, and marks a clean end.
    fn sweep<V: View>(&mut self, step: &mut Step<'_, V>) {
        let waiting = !self.asked.is_empty() || !self.deciding.is_empty();
        let ended = self.stopping && !waiting && self.arrived.queue.is_empty();
        if step.over.is_empty() && !ended {
            return;
        }
        for delta in std::mem::take(&mut self.published) {
            if step.over.get::<Outbox>(&delta).is_some() {
                step.over.remove::<Outbox>(delta);
            }
        }
        self.forget_requests(step);
        let was_clean = std::mem::replace(&mut self.own.clean, step.over.is_empty());
        if self.own.clean && !was_clean {
            step.over.put::<Owns>((), self.own.clone());
        }
    }

    fn wake_at_ms(&self, now_ms: u64, view: &impl View) -> Option<u64> {
        if self.is_in_flight() {
            return None;
        }
        if !self.is_idle() {
            return Some(now_ms);
        }
        if self.stopping {
            return None;
        }
        let waits = !self.parking.is_empty();
        let clock = waits.then(|| parking::first_clock(view)).flatten();
        let clock = clock.map(|hlc| hlc.believed_from_ms());
        [clock, self.tend_at_ms, Some(self.rhythm.due_ms())].into_iter().flatten().min()
    }
}

/// Disk, then mesh, then ears.
const fn rank(effect: &Effect) -> u8 {
    match effect {
        Effect::Publish(_) | Effect::Beat(_) | Effect::Fetch { .. } | Effect::Sync { .. } => 0,
        Effect::Notify { .. } | Effect::Note(_) => 1,
        Effect::Reply { .. } | Effect::Decided { .. } => 2,
    }
}
