//! One context, whatever becomes of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use mangrove_protocol::effect::Input;
use mangrove_protocol::governance::Roster;
use mangrove_protocol::id::{ContextId, PeerId};
use mangrove_protocol::replica::Mode;
use mangrove_protocol::seal::open_name;
use mangrove_protocol::sync::desk::Event as Occasion;
use mangrove_store::{Pen, WriteError};

use super::broken::Broken;
use super::calls::Call;
use super::message::{Ask, Beginning, Given, Heard, Landing, Life, Message, Orders, Seat};
use super::open::{Open, Todo, Tools};
use super::outside::Want;
use super::standing::{fail_if_planted, is_full, may_change, nearest, state, why};
use super::ties::Tie;
use crate::directory::{Entry, State};
use crate::fault::Fault;
use crate::inbox::Reply;

/// Falls after which a context is not loaded again by itself.
pub(super) const MOST_FALLS: u32 = 3;
/// A context that stood for so long has recovered from its falls.
const RECOVERED_MS: u64 = 60_000;
/// A context that fell or could not be loaded is loaded again after so long, and then ever longer.
const AGAIN_MS: (u64, u64) = (10, 1_000);

/// How far a context is.
enum Condition {
    /// Its pen is on its way.
    Opening,
    /// It is worked on.
    Open(Box<Open>),
    /// It will be gone soon.
    Forgetting,
    /// It is out of use.
    Quarantined(Arc<str>),
    /// The node stops.
    Closed,
}

/// How a context begins that is new here, and who waits for that.
struct Birth {
    beginning: Beginning,
    given: Given,
    reply: Reply<Result<(), Fault>>,
}

/// One context, whatever becomes of it.
pub(super) struct Cell {
    entry: Arc<Entry>,
    pub(super) life: Life,
    condition: Condition,
    /// The peers of the context that can be reached.
    pub(super) reach: Arc<BTreeSet<PeerId>>,
    birth: Option<Birth>,
    /// Those who wait for it to be forgotten.
    forgotten: Vec<Reply<Result<(), Fault>>>,
    /// Something was missed while it was not open.
    is_lacking: bool,
    met: BTreeSet<PeerId>,
    falls: u32,
    fell_ms: u64,
    tries: u32,
    /// What was told of it when that was last done.
    told: Option<(State, u64, bool)>,
}

impl Cell {
    /// One that is about to be opened: its pen is asked for.
    pub(super) fn new(entry: Arc<Entry>, life: Life, wants: &mut Vec<Want>) -> Self {
        wants.push(Want::Pen(entry.context(), life, 0));
        Self {
            entry,
            life,
            condition: Condition::Opening,
            reach: Arc::default(),
            birth: None,
            forgotten: Vec::new(),
            is_lacking: false,
            met: BTreeSet::new(),
            falls: 0,
            fell_ms: 0,
            tries: 0,
            told: None,
        }
    }

    fn context(&self) -> ContextId {
        self.entry.context()
    }

    /// When something is to be done at the latest, on the clock that never goes back.
    pub(super) fn wake_ms(&self, at: super::open::Moment) -> Option<u64> {
        match &self.condition {
            Condition::Open(open) => open.wake_ms(at),
            _ => None,
        }
    }

    /// Whether it has nothing more to do, after it was told to stop.
    pub(super) fn has_stopped(&self) -> bool {
        match &self.condition {
            Condition::Open(open) => open.has_stopped(),
            _ => true,
        }
    }

    /// Lets go of what it holds, at the end of all.
    pub(super) fn close(&mut self) {
        self.condition = Condition::Closed;
    }

    /// How its peers stand to this node.
    pub(super) fn ties(&self) -> Vec<Tie> {
        match &self.condition {
            Condition::Open(open) => open.ties.all(&self.reach, &open.compared(), open.replica()),
            _ => Vec::new(),
        }
    }

    /// It begins here, and somebody waits for that.
    pub(super) fn begin(
        &mut self,
        beginning: Beginning,
        (given, reply): (Given, Reply<Result<(), Fault>>),
        tools: &mut Tools<'_>,
    ) -> Result<(), Broken> {
        match (&mut self.condition, &beginning) {
            (Condition::Opening, _) if self.birth.is_none() => {
                self.birth = Some(Birth { beginning, given, reply });
            }
            // It is there already: whoever joins again has joined.
            (Condition::Open(open), Beginning::Joined(by)) => {
                reply.send(Ok(()));
                if tools.outside.mode == Mode::Replica {
                    // It may have been let go, and be hired again.
                    tools.wants.push(Want::Enter(self.entry.context()));
                    open.go([Todo::Desk(Occasion::Wanted(Some(*by)))], tools)?;
                }
            }
            _ => reply.send(Err(Fault::Busy)),
        }
        Ok(())
    }

    /// Lets a write wait for the commit that is on its way, which changes nothing else, or gives it back.
    pub(super) fn queue(&mut self, ask: Ask, tools: &mut Tools<'_>) -> Option<Ask> {
        let is_usable = matches!(self.told, Some((State::Ready, ..))) && !is_full(tools);
        match (&mut self.condition, ask) {
            (Condition::Open(open), Ask::Write(request, reply))
                if is_usable && open.is_in_flight() =>
            {
                fail_if_planted(self.entry.context());
                open.queue(request, reply, tools);
                None
            }
            (_, ask) => Some(ask),
        }
    }

    /// Something happens to it.
    pub(super) fn on(&mut self, message: Message, tools: &mut Tools<'_>) -> Result<(), Broken> {
        fail_if_planted(self.context());
        match message {
            Message::Asked(_, ask) => self.ask(ask, tools)?,
            Message::Deltas(_, from, deltas) => match &mut self.condition {
                Condition::Open(open) if open.has_replayed() && !is_full(tools) => {
                    open.go([Todo::Replica(Input::Deltas { from, deltas })], tools)?;
                }
                // They are compared for, as soon as they can be taken.
                _ => self.is_lacking = true,
            },
            Message::Beat(_, from, beat) => {
                if let Condition::Open(open) = &mut self.condition {
                    open.ties.holds(from, beat.stored, tools.at);
                    open.go([Todo::Replica(Input::Heartbeat { from, beat: *beat })], tools)?;
                }
            }
            Message::Ephemeral(_, from, said) => {
                if let Condition::Open(open) = &mut self.condition {
                    open.hear(from, &said, tools);
                }
            }
            Message::Reach(_, peer, is_there) => {
                let occasion = if is_there { Occasion::Met(peer) } else { Occasion::Lost(peer) };
                if let Condition::Open(open) = &mut self.condition {
                    open.go([Todo::Desk(occasion)], tools)?;
                }
            }
            Message::Missing(_, from) => match &mut self.condition {
                Condition::Open(open) => {
                    open.go([Todo::Desk(Occasion::Wanted(from))], tools)?;
                }
                _ => self.is_lacking = true,
            },
            Message::Unknown(_, peer) => {
                tracing::warn!(context = %self.context(), %peer, "the peer speaks a later version: this node needs an upgrade");
                self.entry.tell(|facts| facts.needs_upgrade = true);
            }
            Message::Accept(_, peer, frame, (orders, reply)) => {
                self.accept(peer, frame, (orders, reply), tools)?;
            }
            Message::Session(seat, heard) => self.session(seat, heard, tools)?,
            Message::Pen(_, life, pen) if life == self.life => match (&self.condition, pen) {
                (Condition::Opening, Ok(pen)) => self.open(pen, tools)?,
                (Condition::Opening, Err(why)) => self.quarantine(&why, tools),
                _ => {}
            },
            Message::Landed(_, life, landing) if life == self.life => self.land(landing, tools)?,
            Message::GoOn(_, life) if life == self.life => self.go_on(tools)?,
            Message::Forgotten(_, life, forgotten) if life == self.life => {
                self.forgotten(forgotten, tools);
            }
            Message::Trim => self.trim(tools),
            // Of an earlier life, or nothing follows.
            Message::Pen(..)
            | Message::Landed(..)
            | Message::GoOn(..)
            | Message::Forgotten(..)
            | Message::Done(_)
            | Message::Stop(_) => {}
        }
        self.tell(tools);
        Ok(())
    }

    /// The time has come that it waited for.
    pub(super) fn wake(&mut self, tools: &mut Tools<'_>) -> Result<(), Broken> {
        let takes = !is_full(tools);
        if let Condition::Open(open) = &mut self.condition {
            open.wake(tools)?;
            if takes && open.has_replayed() && std::mem::take(&mut self.is_lacking) {
                open.go([Todo::Desk(Occasion::Wanted(None))], tools)?;
            }
        }
        self.tell(tools);
        Ok(())
    }

    /// The node stops.
    pub(super) fn stop(&mut self, tools: &mut Tools<'_>) -> Result<(), Broken> {
        match &mut self.condition {
            Condition::Open(open) => open.stop(tools)?,
            // Nothing of it is in hand: its pen, when it comes, is let go of.
            Condition::Opening => self.condition = Condition::Closed,
            Condition::Forgetting | Condition::Quarantined(_) | Condition::Closed => {}
        }
        Ok(())
    }

    fn ask(&mut self, ask: Ask, tools: &mut Tools<'_>) -> Result<(), Broken> {
        if let Ask::Forget(reply) = ask {
            self.forgotten.push(reply);
            self.forget(tools);
            return Ok(());
        }
        let Condition::Open(open) = &mut self.condition else {
            ask.refuse(match &self.condition {
                Condition::Quarantined(why) => Fault::Quarantined(why.to_string()),
                Condition::Closed => Fault::Stopping,
                Condition::Forgetting => Fault::NoContext(self.context().to_string()),
                _ => Fault::Syncing(State::Replaying),
            });
            return Ok(());
        };
        let changes = matches!(ask, Ask::Write(..) | Ask::Decide(..));
        if changes && let Err(why) = may_change(&self.entry, open, tools) {
            ask.refuse(why);
            return Ok(());
        }
        match ask {
            Ask::Write(request, reply) => {
                let reply = open.wait(Call::Write(reply));
                open.go([Todo::Replica(Input::Write { request, reply })], tools)?;
            }
            Ask::Decide(command, reply) => {
                let reply = open.wait(Call::Decide(reply));
                open.go([Todo::Replica(Input::Decide { command, reply })], tools)?;
            }
            Ask::Rebuild(reply) => {
                open.go([Todo::Replica(Input::Rebuild)], tools)?;
                reply.send(Ok(()));
            }
            Ask::Compare(reply) => open.compare(reply, tools)?,
            Ask::Present(state, reply) => reply.send(open.present(&state, tools)),
            Ask::Presence(reply) => reply.send(Ok(open.presence.all(tools.at))),
            Ask::Ties(reply) => reply.send(Ok(self.ties())),
            // Whoever has it, has it.
            Ask::Begin(_, _, reply) | Ask::Forget(reply) => reply.send(Ok(())),
        }
        Ok(())
    }

    fn accept(
        &mut self,
        peer: PeerId,
        frame: Vec<u8>,
        (orders, reply): (Orders, Reply<Option<Seat>>),
        tools: &mut Tools<'_>,
    ) -> Result<(), Broken> {
        let seat = match &mut self.condition {
            Condition::Open(open) => open.accept((peer, frame, orders), tools)?,
            _ => None,
        };
        reply.send(seat);
        Ok(())
    }

    fn session(&mut self, seat: Seat, heard: Heard, tools: &mut Tools<'_>) -> Result<(), Broken> {
        let Condition::Open(open) = &mut self.condition else { return Ok(()) };
        // What is meant for an earlier life is for nobody.
        if seat.life != self.life {
            return Ok(());
        }
        let link = seat.link;
        let occasion = match heard {
            Heard::Frame(frame) => Occasion::Heard(link, frame),
            Heard::Part => Occasion::Part(link),
            Heard::Sent => Occasion::Sent(link),
            Heard::Closed => return Ok(open.closed(link, tools)?),
        };
        Ok(open.go([Todo::Desk(occasion)], tools)?)
    }

    /// Its pen has come.
    fn open(&mut self, pen: Pen, tools: &mut Tools<'_>) -> Result<(), Broken> {
        if !self.forgotten.is_empty() {
            self.forget_with(pen, tools);
            return Ok(());
        }
        let since_ms = tools.at.wall_ms;
        let given = self.birth.as_ref().map(|birth| (birth.given.clone(), since_ms));
        let mut open = Open::new((pen, self.life), given, tools)?;
        let birth = self.birth.take();
        let me = tools.outside.keys.peer();
        let mut todo = vec![Todo::Replica(Input::Tick)];
        if let Some(Birth { beginning, reply, .. }) = birth {
            open.awaited.push(reply);
            todo.push(Todo::Replica(match beginning {
                Beginning::Founded(deltas) => Input::Deltas { from: me, deltas },
                Beginning::Joined(by) => Input::Joined { by },
            }));
        }
        let lacking = std::mem::take(&mut self.is_lacking);
        todo.extend(lacking.then_some(Todo::Desk(Occasion::Wanted(None))));
        self.entry.tell(|facts| {
            facts.alias = open.local.alias.as_deref().map(Arc::from);
            facts.labels = Arc::new(open.labels.0.clone());
            facts.since_ms = open.local.since_ms;
        });
        tools.wants.push(Want::Enter(self.context()));
        let going = open.go(todo, tools);
        self.condition = Condition::Open(Box::new(open));
        Ok(going?)
    }

    fn go_on(&mut self, tools: &mut Tools<'_>) -> Result<(), Broken> {
        if let Condition::Open(open) = &mut self.condition
            && self.forgotten.is_empty()
        {
            open.go_on(tools)?;
        }
        self.look_back(tools);
        Ok(())
    }

    /// What is to be done between two commits.
    fn look_back(&mut self, tools: &mut Tools<'_>) {
        let Condition::Open(open) = &self.condition else { return };
        if open.is_beyond_repair() {
            self.quarantine("what is stored of it changes by itself", tools);
        } else if !self.forgotten.is_empty() {
            self.forget(tools);
        }
    }

    fn land(&mut self, landing: Landing, tools: &mut Tools<'_>) -> Result<(), Broken> {
        let Condition::Open(open) = &mut self.condition else { return Ok(()) };
        match landing {
            Landing::Durable(proof) => {
                self.tries = 0;
                let answered = open.land(&proof, tools)?;
                // Who forgets it does not wait until nobody wants to write any more.
                if self.forgotten.is_empty() {
                    open.follow(answered, tools)?;
                }
                self.look_back(tools);
                Ok(())
            }
            Landing::Refused(why) => Err(Broken::Unwritten(why)),
            Landing::Fell => Err(Broken::Fell),
        }
    }

    /// It cannot go on as it is: it is loaded again, a little later each time.
    pub(super) fn reload(&mut self, why: &Broken, life: Life, tools: &mut Tools<'_>) {
        let told = why.fault();
        let (is_unborn, mut awaited) = (self.is_unborn(), Vec::new());
        if let Condition::Open(open) = &mut self.condition {
            open.calls.fail_all(&told);
            awaited = std::mem::take(&mut open.awaited);
        }
        match is_unborn {
            true => self.strike(tools),
            false => {
                tracing::info!(context = %self.context(), ?why, "the context is loaded again");
                self.open_again(life, tools);
            }
        }
        for reply in awaited {
            reply.send(Err(told.clone()));
        }
    }

    /// Whether nothing of it is stored yet, and whoever wanted it to begin still waits for that.
    fn is_unborn(&self) -> bool {
        matches!(&self.condition, Condition::Open(open) if !open.awaited.is_empty())
    }

    /// It panicked. Says so, and loads it again, unless that happens too often.
    pub(super) fn fall(&mut self, why: &str, life: Life, tools: &mut Tools<'_>) {
        let now_ms = tools.at.steady_ms;
        if now_ms.saturating_sub(self.fell_ms) > RECOVERED_MS {
            self.falls = 0;
        }
        self.falls += 1;
        self.fell_ms = now_ms;
        tracing::error!(context = %self.context(), why, falls = self.falls, "the context panicked");
        tools.outside.metrics.fell();
        if self.is_unborn() {
            return self.strike(tools);
        }
        if self.falls >= MOST_FALLS {
            let why = format!("it panicked {MOST_FALLS} times in a minute, at last: {why}");
            return self.quarantine(&why, tools);
        }
        self.open_again(life, tools);
    }

    fn open_again(&mut self, life: Life, tools: &mut Tools<'_>) {
        let (first, last) = AGAIN_MS;
        let after_ms = first.saturating_mul(1 << self.tries.min(10)).min(last);
        self.tries += 1;
        self.is_lacking = true;
        self.life = life;
        self.told = None;
        self.condition = Condition::Opening;
        self.entry.tell(|facts| facts.state = State::Replaying);
        tools.wants.push(Want::Pen(self.context(), life, after_ms));
    }

    fn quarantine(&mut self, why: &str, tools: &mut Tools<'_>) {
        tracing::error!(context = %self.context(), why, "quarantined: everything else goes on");
        tools.outside.metrics.quarantined();
        let why: Arc<str> = why.into();
        if let Condition::Open(open) = &mut self.condition {
            open.calls.fail_all(&Fault::Quarantined(why.to_string()));
        }
        self.condition = Condition::Quarantined(Arc::clone(&why));
        self.entry.tell(|facts| {
            facts.state = State::Quarantined;
            facts.why = Some(why);
        });
    }

    /// Forgets it, once nothing is on its way to the disk.
    fn forget(&mut self, tools: &mut Tools<'_>) {
        let is_ready = match &self.condition {
            Condition::Open(open) => !open.is_writing(),
            Condition::Quarantined(_) => true,
            Condition::Opening | Condition::Forgetting | Condition::Closed => false,
        };
        if !is_ready {
            return;
        }
        let pen = match std::mem::replace(&mut self.condition, Condition::Opening) {
            Condition::Open(open) => open.into_pen(&Fault::NoContext(self.context().to_string())),
            _ => None,
        };
        match pen {
            Some(pen) => self.forget_with(pen, tools),
            None => tools.wants.push(Want::Pen(self.context(), self.life, 0)),
        }
    }

    fn forget_with(&mut self, pen: Pen, tools: &mut Tools<'_>) {
        let context = self.context();
        match pen.forget() {
            Ok(receipt) => {
                self.condition = Condition::Forgetting;
                tools.wants.push(Want::Forgotten(context, self.life, receipt));
            }
            Err(why) => {
                let fault = Fault::Storage(why.to_string());
                for reply in std::mem::take(&mut self.forgotten) {
                    reply.send(Err(fault.clone()));
                }
                drop(why);
                tools.wants.push(Want::Pen(context, self.life, 0));
            }
        }
    }

    fn forgotten(&mut self, forgotten: Result<(), WriteError>, tools: &mut Tools<'_>) {
        let context = self.context();
        let answer = forgotten.map_err(|why| Fault::Storage(why.to_string()));
        if answer.is_err() {
            self.condition = Condition::Opening;
            tools.wants.push(Want::Pen(context, self.life, 0));
        } else {
            self.strike(tools);
        }
        for reply in std::mem::take(&mut self.forgotten) {
            reply.send(answer.clone());
        }
    }

    /// It is not there any more, for anybody.
    fn strike(&mut self, tools: &mut Tools<'_>) {
        let context = self.context();
        self.condition = Condition::Forgetting;
        let (_, gone) = tools.outside.acquaintances.swap(&self.met, &BTreeSet::new());
        tools.wants.extend([Want::Leave(context), Want::Meet(Vec::new(), gone)]);
        tools.outside.directory.strike(context);
        tools.outside.hub.close(context, crate::hub::Closed::Forgotten);
    }

    /// Whether it is not there any more.
    pub(super) fn is_gone(&self, tools: &Tools<'_>) -> bool {
        matches!(self.condition, Condition::Forgetting)
            && tools.outside.directory.get(&self.context()).is_none()
    }

    /// Forgets the beginning of its feed, as far as it is not to be kept.
    fn trim(&mut self, tools: &mut Tools<'_>) {
        let Condition::Open(open) = &mut self.condition else { return };
        if open.is_in_flight() || tools.outside.keep == mangrove_config::feed::Keep::Everything {
            return;
        }
        let trimmed = super::hands::trim(open.pen(), self.entry.context(), tools.outside);
        if let Some(receipt) = trimmed {
            tools.wants.push(Want::Trimmed(self.entry.context(), receipt));
        }
    }

    /// Tells everybody what has changed about it.
    fn tell(&mut self, tools: &mut Tools<'_>) {
        let Condition::Open(open) = &self.condition else { return };
        let replica = open.replica();
        let state = state(open, tools.outside.mode);
        let now = (state, replica.insight(), replica.is_provisional());
        if self.told == Some(now) {
            return;
        }
        let is_known = self.told.is_some_and(|(_, insight, _)| insight == now.1);
        let before = self.told.replace(now).map(|(state, ..)| state);
        if before != Some(state) {
            tracing::info!(context = %self.context(), state = state.name(), "the context");
            if state == State::Left && tools.outside.mode == Mode::Replica {
                // What is said there is not kept for anybody any more.
                tools.wants.push(Want::Leave(self.context()));
            }
        }
        let (roster, keyring) = (replica.shared_roster(), replica.keyring());
        let role = roster.role(replica.peer());
        let name = roster.name().and_then(|sealed| open_name(sealed, |epoch| keyring.get(epoch)));
        self.entry.tell(|facts| {
            facts.state = state;
            facts.why = why(state, &roster, replica.peer());
            facts.role = role;
            facts.is_provisional = now.2;
            if !is_known {
                facts.epochs = Arc::new(keyring.epochs().collect());
                facts.name = name.map(Arc::from);
                facts.roster = Arc::clone(&roster);
            }
        });
        if !is_known {
            self.meet(&roster, tools);
        }
    }

    /// Sees to it that this node is connected to some of those who take part.
    fn meet(&mut self, roster: &Roster, tools: &mut Tools<'_>) {
        let met = nearest(roster, tools.outside.keys.peer());
        let (new, gone) = tools.outside.acquaintances.swap(&self.met, &met);
        self.met = met;
        if !new.is_empty() || !gone.is_empty() {
            tools.wants.push(Want::Meet(new, gone));
        }
    }
}
