//! A context that is open: its replica, the desk of its sessions, and what leaves them.
//!
//! Both machines look at what is stored at one moment, say what they want, and only when all of it could be read
//! is anything done. One commit is with the store, and one may be made meanwhile, on what that leaves behind; what
//! derives from a commit is let out against its proof.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use mangrove_protocol::effect::{Commit, Effect, Effects, Held, Input, Note};
use mangrove_protocol::gossip::{Body, Ephemeral, Message as Gossip};
use mangrove_protocol::id::{ContextId, DeltaId, PeerId};
use mangrove_protocol::overlay::Layer;
use mangrove_protocol::replica::memory::{Labels, Local};
use mangrove_protocol::replica::{Entropy, Replica};
use mangrove_protocol::request::{Request, Written};
use mangrove_protocol::sync::desk::{Action, Desk, Event as Occasion};
use mangrove_protocol::sync::{Link, Message as Word, Offence};
use mangrove_protocol::view::{Labelled, Locals, Memory, Owns, Table, View};
use mangrove_store::{Pen, Proof, ReadError};
use tokio::sync::mpsc;

use super::calls::{Call, Calls};
use super::comparing::{Compared, Comparing};
use super::doubt::Doubt;
use super::flights::{Flights, Order};
use super::message::{Given, Life, Message, Orders, Seat};
use super::notes;
use super::outside::{Outside, Want};
use super::presence::Presents;
use super::sight::Sight;
use super::ties::Ties;
use super::unsent::Unsent;
use crate::fault::Fault;
use crate::inbox::{Posted, Reply};
use crate::sync;

/// What may wait to be said in one session. The desk keeps what it has to say far below that.
const ORDERS: usize = 1_024;

/// The time, twice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// Of day.
    pub(super) wall_ms: u64,
    /// On a clock that never goes back.
    pub(super) steady_ms: u64,
}

/// What a step has at hand.
pub(super) struct Tools<'t> {
    pub(super) outside: &'t Outside,
    pub(super) dice: &'t mut dyn Entropy,
    pub(super) wants: &'t mut Vec<Want>,
    pub(super) at: Moment,
    /// The peers of this context that can be reached.
    pub(super) reach: &'t BTreeSet<PeerId>,
}

/// Something that happens to one of the machines.
pub(super) enum Todo {
    Replica(Input),
    Desk(Occasion),
}

/// Something that leaves them.
enum Out {
    Effect(Effect),
    Action(Action),
    Commit(Box<Commit>),
    /// It comes out with the last commit that is on its way.
    Behind(Held),
}

/// What an open context attends to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// What was stored before the start has its turn first. Whether something was lacking meanwhile is remembered.
    Replaying { is_lacking: bool },
    /// Everything.
    Attending,
    /// What is in hand, and nothing new.
    Stopping,
}

/// A context that is open.
pub(super) struct Open {
    context: ContextId,
    life: Life,
    pen: Arc<Pen>,
    replica: Replica,
    desk: Desk,
    /// Commits on their way. That one is durable the replica is told once those who ask by then have been heard.
    flights: Flights,
    /// A turn comes once those who ask by now have been heard.
    is_called: bool,
    pub(super) calls: Calls,
    /// Those who wait for the context to be there.
    pub(super) awaited: Vec<Reply<Result<(), Fault>>>,
    streams: BTreeMap<Link, Orders>,
    published: Vec<DeltaId>,
    unsent: Unsent,
    pub(super) presence: Presents,
    pub(super) ties: Ties,
    comparing: Comparing,
    doubt: Doubt,
    pub(super) local: Local,
    pub(super) labels: Labels,
    is_local_new: bool,
    /// When the replica wants to be woken, on the clock that never goes back.
    wake_ms: Option<u64>,
    stage: Stage,
    offences: u64,
}

impl Open {
    pub(super) fn new(
        (pen, life): (Pen, Life),
        given: Option<(Given, u64)>,
        tools: &Tools<'_>,
    ) -> Result<Self, ReadError> {
        let context = pen.context();
        let reading = pen.read(&tools.outside.reader)?;
        let sight = Sight::new(&reading, context);
        let config = tools.outside.replica(context);
        let replica = Replica::boot(config, tools.at.wall_ms, &sight);
        let stored = View::get::<Locals>(&sight, &());
        let labels = View::get::<Labelled>(&sight, &());
        let own = View::get::<Owns>(&sight, &());
        sight.finish()?;
        // Whoever had it before may have fallen after a commit and before telling of it.
        tools.outside.hub.reached(context, own.map_or(0, |own| own.feed));
        drop(reading);
        let is_local_new = given.is_some() && stored.is_none();
        let (given, since_ms) = given.filter(|_| is_local_new).unwrap_or_default();
        let local = stored.unwrap_or(Local { alias: given.alias, since_ms });
        Ok(Self {
            context,
            life,
            pen: Arc::new(pen),
            replica,
            desk: Desk::new(tools.outside.desk(context)),
            flights: Flights::default(),
            is_called: false,
            calls: Calls::default(),
            awaited: Vec::new(),
            streams: BTreeMap::new(),
            published: Vec::new(),
            unsent: Unsent::default(),
            presence: Presents::default(),
            ties: Ties::default(),
            comparing: Comparing::default(),
            doubt: Doubt::default(),
            local,
            labels: labels.unwrap_or(given.labels),
            is_local_new,
            wake_ms: None,
            stage: Stage::Replaying { is_lacking: false },
            offences: 0,
        })
    }

    pub(super) const fn replica(&self) -> &Replica {
        &self.replica
    }

    /// Whether all that was stored before the start has had its turn.
    pub(super) const fn has_replayed(&self) -> bool {
        !matches!(self.stage, Stage::Replaying { .. })
    }

    /// Why it must not be used any more, if that is so.
    pub(super) const fn is_beyond_repair(&self) -> bool {
        self.doubt.is_beyond_repair()
    }

    /// Whether it was told to stop and has nothing left to do.
    pub(super) fn has_stopped(&self) -> bool {
        self.stage == Stage::Stopping && !self.is_in_flight() && self.replica.is_idle()
    }

    /// Whether the replica waits for a commit.
    pub(super) fn is_in_flight(&self) -> bool {
        self.flights.is_waited_for()
    }

    /// Whether a commit is with the store.
    pub(super) fn is_writing(&self) -> bool {
        self.flights.is_writing()
    }

    /// What it is written with, if nobody else holds that.
    pub(super) fn into_pen(mut self, why: &Fault) -> Option<Pen> {
        self.calls.fail_all(why);
        Arc::into_inner(self.pen)
    }

    pub(super) const fn pen(&self) -> &Arc<Pen> {
        &self.pen
    }

    /// When something is to be done at the latest, on the clock that never goes back.
    pub(super) fn wake_ms(&self, at: Moment) -> Option<u64> {
        let desk = self.attends().then(|| self.desk.wake_at_ms(at.steady_ms));
        [desk, self.unsent.again_ms(), self.wake_ms].into_iter().flatten().min()
    }

    fn attends(&self) -> bool {
        self.stage == Stage::Attending
    }

    /// Lets a write wait for the commit that is on its way: nothing has to be looked at for that.
    pub(super) fn queue(
        &mut self,
        request: Request,
        reply: Reply<Result<Written, Fault>>,
        tools: &mut Tools<'_>,
    ) {
        debug_assert!(self.is_in_flight(), "it would begin a step, and see nothing");
        let reply = self.calls.wait(Call::Write(reply));
        let mut entropy = |bytes: &mut [u8]| tools.dice.fill(bytes);
        let (input, unseen) = (Input::Write { request, reply }, Memory::default());
        let effects = self.replica.handle(input, tools.at.wall_ms, &mut entropy, &unseen);
        effects.now.into_iter().for_each(|effect| self.perform(effect, tools));
        // Where enough wait, the next commit is made while this one is written.
        if !self.is_called && self.replica.may_go_ahead(tools.at.wall_ms) {
            self.call(tools);
        }
    }

    /// Asks for a turn once all who ask by now have been heard. Says whether it will come.
    fn call(&mut self, tools: &Tools<'_>) -> bool {
        let go_on = || Message::GoOn(self.context, self.life);
        let shard = tools.outside.directory.shard(self.context);
        self.is_called |= shard.is_some_and(|shard| matches!(shard.post(go_on()), Posted::Queued));
        self.is_called
    }

    /// Takes what happens, and does what follows.
    pub(super) fn go(
        &mut self,
        first: impl IntoIterator<Item = Todo>,
        tools: &mut Tools<'_>,
    ) -> Result<(), ReadError> {
        let mut todo: VecDeque<Todo> = first.into_iter().collect();
        while !todo.is_empty() {
            let outs = self.think(&mut todo, tools)?;
            for out in outs {
                self.carry_out(out, tools, &mut todo);
            }
            if let Stage::Replaying { is_lacking } = self.stage
                && self.replica.is_idle()
            {
                self.stage = Stage::Attending;
                todo.extend(tools.reach.iter().map(|peer| Todo::Desk(Occasion::Met(*peer))));
                todo.extend(is_lacking.then_some(Todo::Desk(Occasion::Wanted(None))));
            }
            if self.doubt.judge(&self.replica, self.context) {
                tools.outside.metrics.repaired();
            }
        }
        Ok(())
    }

    /// Steps the machines until nothing is left to be done. What leaves them is only said, since what they saw
    /// may yet turn out not to be so.
    fn think(
        &mut self,
        todo: &mut VecDeque<Todo>,
        tools: &mut Tools<'_>,
    ) -> Result<Vec<Out>, ReadError> {
        let reading = self.pen.read(&tools.outside.reader)?;
        let sight = Sight::new(&reading, self.context);
        let first = self.flights.first().unwrap_or_default();
        let ahead = Layer::new(&sight, &first);
        let Tools { at, dice, .. } = tools;
        let mut entropy = |bytes: &mut [u8]| dice.fill(bytes);
        let (mut outs, mut is_stirred) = (Vec::new(), false);
        loop {
            let moved = || Todo::Desk(Occasion::Moved);
            let next = todo.pop_front().or_else(|| std::mem::take(&mut is_stirred).then(moved));
            match next {
                Some(Todo::Replica(input)) => {
                    is_stirred |= stirs(&input);
                    let Effects { commit, behind, now, wake_at_ms } =
                        self.replica.handle(input, at.wall_ms, &mut entropy, &ahead);
                    self.wake_ms =
                        wake_at_ms.map(|ms| at.steady_ms + ms.saturating_sub(at.wall_ms));
                    now.into_iter().for_each(|effect| self.sort(effect, todo, &mut outs));
                    outs.extend((!behind.is_empty()).then_some(Out::Behind(behind)));
                    outs.extend(commit.map(|commit| Out::Commit(Box::new(commit))));
                }
                Some(Todo::Desk(occasion)) if self.attends() => {
                    let seen = (&self.replica, &sight);
                    let actions = self.desk.handle(occasion, at.steady_ms, &mut entropy, seen);
                    actions.into_iter().for_each(|action| outs.extend(self.heed(action, todo)));
                }
                Some(Todo::Desk(Occasion::Wanted(_))) => self.lack(),
                // Nobody is at the desk.
                Some(Todo::Desk(_)) => {}
                None => break,
            }
        }
        sight.finish()?;
        Ok(outs)
    }

    /// Something is lacking while nobody can be asked.
    const fn lack(&mut self) {
        if let Stage::Replaying { is_lacking } = &mut self.stage {
            *is_lacking = true;
        }
    }

    /// What the replica wants: for the desk, or for the world.
    fn sort(&mut self, effect: Effect, todo: &mut VecDeque<Todo>, outs: &mut Vec<Out>) {
        match effect {
            Effect::Fetch { from, .. } => todo.push_back(Todo::Desk(Occasion::Wanted(from))),
            Effect::Sync { with } => todo.push_back(Todo::Desk(Occasion::Wanted(Some(with)))),
            Effect::Note(Note::Diverged { with }) => {
                if self.doubt.raise(with, &self.replica) {
                    tracing::warn!(context = %self.context, peer = %with, "the peer shows another root: state is made anew to see who is right");
                    todo.push_back(Todo::Replica(Input::Rebuild));
                }
            }
            effect => outs.push(Out::Effect(effect)),
        }
    }

    /// What the desk wants: of the replica, or of the world.
    fn heed(&mut self, action: Action, todo: &mut VecDeque<Todo>) -> Option<Out> {
        let input = match action {
            Action::Deliver(from, deltas) => {
                self.comparing.received(from, deltas.len());
                Input::Deltas { from, deltas }
            }
            Action::Agreed(with) => Input::Agreed { with },
            action => return Some(Out::Action(action)),
        };
        todo.push_back(Todo::Replica(input));
        None
    }

    /// A commit is durable: what derives from it gets out, and the one made ahead of it is handed in. Says how
    /// many were answered: they may have asked for more by the time that all are.
    pub(super) fn land(
        &mut self,
        proof: &Proof,
        tools: &mut Tools<'_>,
    ) -> Result<usize, ReadError> {
        let mut todo = VecDeque::new();
        self.ties.changed(tools.at);
        let (released, next) = self.flights.land(proof);
        self.hand_in(next, tools);
        let mut outs = Vec::new();
        released.into_iter().for_each(|effect| self.sort(effect, &mut todo, &mut outs));
        let answered = outs.iter().filter(|out| matches!(out, Out::Effect(Effect::Reply { .. })));
        let answered = answered.count();
        for out in outs {
            self.carry_out(out, tools, &mut todo);
        }
        for reply in std::mem::take(&mut self.awaited) {
            reply.send(Ok(()));
        }
        if !todo.is_empty() {
            self.go(todo, tools)?;
        }
        Ok(answered)
    }

    /// The next commit may follow: at once, or with what those ask who were just answered.
    pub(super) fn follow(
        &mut self,
        answered: usize,
        tools: &mut Tools<'_>,
    ) -> Result<(), ReadError> {
        match self.is_called || answered > 1 && self.call(tools) {
            true => Ok(()),
            false => self.go_on(tools),
        }
    }

    /// The turn that was asked for.
    pub(super) fn go_on(&mut self, tools: &mut Tools<'_>) -> Result<(), ReadError> {
        self.is_called = false;
        let inputs = match self.flights.take_landed() {
            0 if self.replica.may_go_ahead(tools.at.wall_ms) => vec![Input::Ahead],
            0 => return Ok(()),
            landed => {
                let published = std::mem::take(&mut self.published);
                let published = (!published.is_empty()).then_some(Input::Published(published));
                published.into_iter().chain((0..landed).map(|_| Input::Committed)).collect()
            }
        };
        self.go(inputs.into_iter().map(Todo::Replica), tools)
    }

    /// Wakes whoever wants to be.
    pub(super) fn wake(&mut self, tools: &mut Tools<'_>) -> Result<(), ReadError> {
        for delta in self.unsent.due(tools.at.steady_ms) {
            self.publish(delta, tools);
        }
        self.presence.expire(self.context, tools);
        let is_due = self.wake_ms.is_some_and(|at_ms| at_ms <= tools.at.steady_ms);
        let tick = is_due.then_some(Todo::Replica(Input::Tick));
        self.go(tick.into_iter().chain([Todo::Desk(Occasion::Moved)]), tools)
    }

    /// Takes nothing new, and finishes what is in hand. Sessions end.
    pub(super) fn stop(&mut self, tools: &mut Tools<'_>) -> Result<(), ReadError> {
        self.stage = Stage::Stopping;
        self.streams.clear();
        self.go([Todo::Replica(Input::Stop)], tools)
    }

    /// A peer has begun a session, with this frame.
    pub(super) fn accept(
        &mut self,
        (peer, frame, orders): (PeerId, Vec<u8>, Orders),
        tools: &mut Tools<'_>,
    ) -> Result<Option<Seat>, ReadError> {
        if !self.attends() {
            return Ok(None);
        }
        let link = self.desk.next_link();
        self.streams.insert(link, orders);
        let (accepted, heard) = (Occasion::Accepted(peer, link), Occasion::Heard(link, frame));
        self.go([Todo::Desk(accepted), Todo::Desk(heard)], tools)?;
        let (context, life) = (self.context, self.life);
        Ok(Some(Seat { context, life, link, peer, is_ours: false }))
    }

    /// A session has ended.
    pub(super) fn closed(&mut self, link: Link, tools: &mut Tools<'_>) -> Result<(), ReadError> {
        self.streams.remove(&link);
        self.go([Todo::Desk(Occasion::Closed(link))], tools)
    }

    fn carry_out(&mut self, out: Out, tools: &mut Tools<'_>, todo: &mut VecDeque<Todo>) {
        match out {
            Out::Effect(effect) => self.perform(effect, tools),
            Out::Action(action) => self.act(action, tools, todo),
            Out::Commit(commit) => self.commit(*commit, tools),
            Out::Behind(behind) => self.flights.hold_back(behind),
        }
    }

    fn commit(&mut self, mut commit: Commit, tools: &mut Tools<'_>) {
        if std::mem::take(&mut self.is_local_new) {
            Locals::changes_mut(&mut commit.batch).insert((), Some(self.local.clone()));
            if !self.labels.0.is_empty() {
                let labels = Some(self.labels.clone());
                Labelled::changes_mut(&mut commit.batch).insert((), labels);
            }
        }
        let order = self.flights.push(commit);
        self.hand_in(order, tools);
    }

    /// Gives the store the commit whose turn it is.
    fn hand_in(&self, order: Option<Order>, tools: &mut Tools<'_>) {
        let pen = Arc::clone(&self.pen);
        tools.wants.extend(order.map(|order| Want::Commit(self.context, self.life, pen, order)));
    }

    fn perform(&mut self, effect: Effect, tools: &Tools<'_>) {
        let outside = tools.outside;
        let context = self.context;
        match effect {
            Effect::Publish(delta) => self.publish(delta, tools),
            Effect::Beat(beat) => {
                let body = Body::Heartbeat(beat);
                let bytes = Gossip::sign(context, body, &outside.keys).encode();
                let posted = outside.network.publish(super::topic(context), bytes);
                if posted != mangrove_network::Posted::Queued {
                    tracing::warn!(%context, "the network had no room for a heartbeat");
                }
            }
            Effect::Notify { position, item } => outside.hub.tell(context, position, item),
            Effect::Reply { to, answer } => self.calls.written(to, answer),
            Effect::Decided { to, answer } => self.calls.decided(to, answer),
            Effect::Note(note) => notes::take_down(context, &note, outside),
            // These are for the desk, and were sorted out.
            Effect::Fetch { .. } | Effect::Sync { .. } => {}
        }
    }

    fn publish(&mut self, delta: mangrove_protocol::delta::Delta, tools: &Tools<'_>) {
        let outside = tools.outside;
        let bytes = Gossip::of(&delta, &outside.keys).encode();
        match outside.network.publish(super::topic(self.context), bytes) {
            mangrove_network::Posted::Queued => self.published.push(delta.id()),
            mangrove_network::Posted::Shed => self.unsent.keep(delta, tools.at.steady_ms),
            mangrove_network::Posted::Closed => {}
        }
    }

    fn act(&mut self, action: Action, tools: &mut Tools<'_>, todo: &mut VecDeque<Todo>) {
        match action {
            Action::Open(peer, link) => {
                let (orders, said) = mpsc::channel(ORDERS);
                let (context, life) = (self.context, self.life);
                let seat = Seat { context, life, link, peer, is_ours: true };
                match tools.outside.sync.post(sync::Message::Open(seat, said)) {
                    Posted::Queued | Posted::Coalesced => drop(self.streams.insert(link, orders)),
                    _ => todo.push_back(Todo::Desk(Occasion::Closed(link))),
                }
            }
            Action::Send(link, message) => {
                let to = self.desk.links().find(|(of, _)| *of == link).map(|(_, peer)| peer);
                if let (Some(peer), Word::Batch { deltas }) = (to, &message) {
                    self.comparing.sent(peer, deltas.len());
                }
                let sent = self.streams.get(&link).is_some_and(|to| to.try_send(message).is_ok());
                // Of one that is gone already nobody has to be told.
                if !sent && self.streams.remove(&link).is_some() {
                    todo.push_back(Todo::Desk(Occasion::Closed(link)));
                }
            }
            Action::Close(link) => drop(self.streams.remove(&link)),
            Action::Ended(peer, ending) => {
                self.ties.ended(peer, ending, &self.replica, tools.at);
                self.comparing.ended(peer, ending, self.desk.links().next().is_none());
            }
            Action::Later(peer) => {
                tracing::warn!(context = %self.context, %peer, "the peer holds what a later program wrote: this node needs an upgrade");
                if let Some(entry) = tools.outside.directory.get(&self.context) {
                    entry.tell(|facts| facts.needs_upgrade = true);
                }
            }
            Action::Disconnect(peer) => {
                tracing::warn!(context = %self.context, %peer, "the peer does what no honest one does");
                if tools.outside.network.turn_away(peer) != mangrove_network::Posted::Queued {
                    tracing::warn!(%peer, "the network had no room to turn the peer away");
                }
            }
            // These are for the replica, and were heeded.
            Action::Deliver(..) | Action::Agreed(_) => {}
        }
        self.blame(tools.outside);
    }

    /// What the desk holds against peers goes where all of that is shown.
    fn blame(&mut self, outside: &Outside) {
        let ledger = self.desk.ledger();
        let all: u64 = ledger.entries().map(|(_, _, count)| count).sum();
        if all == self.offences {
            return;
        }
        self.offences = all;
        let entries: Vec<(PeerId, Offence, u64)> = ledger.entries().collect();
        for (peer, offence) in self.ties.offences(entries) {
            outside.network.record(peer, offence.label());
        }
    }

    /// Compares with whoever can be reached.
    pub(super) fn compare(
        &mut self,
        reply: Reply<Result<Compared, Fault>>,
        tools: &mut Tools<'_>,
    ) -> Result<(), ReadError> {
        if tools.reach.is_empty() {
            let why = "no other node that has this context can be reached".to_owned();
            reply.send(Err(Fault::Unreachable(why)));
            return Ok(());
        }
        self.comparing.wait(reply);
        self.go([Todo::Desk(Occasion::Wanted(None))], tools)
    }

    /// The peers that notes are being compared with.
    pub(super) fn compared(&self) -> Vec<PeerId> {
        self.desk.links().map(|(_, peer)| peer).collect()
    }

    /// Tells members how things are with this one.
    pub(super) fn present(&mut self, state: &[u8], tools: &mut Tools<'_>) -> Result<(), Fault> {
        self.presence.say(state, &self.replica, tools)
    }

    /// A member says how things are with it.
    pub(super) fn hear(&mut self, from: PeerId, said: &Ephemeral, tools: &Tools<'_>) {
        self.presence.hear(from, said, (&self.replica, tools));
    }

    /// Somebody waits for something to be written.
    pub(super) fn wait(&mut self, call: Call) -> mangrove_protocol::effect::ReplyTo {
        self.calls.wait(call)
    }
}

/// Whether the desk may want to know that this has happened to the replica. What only waits for the commit that
/// is on its way changes nothing for it.
const fn stirs(input: &Input) -> bool {
    !matches!(input, Input::Write { .. } | Input::Decide { .. } | Input::Published(_))
}
