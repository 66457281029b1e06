//! Those who work on contexts: each has its share of them, and works on one at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use mangrove_protocol::id::ContextId;
use mangrove_protocol::machine::{Machine, Turn, Verdict};

use super::broken::Broken;
use super::cell::Cell;
use super::message::{Ask, Life, Message};
use super::open::{Moment, Tools};
use super::outside::{Outside, Want};
use crate::directory::MOST_CONTEXTS;
use crate::drive;
use crate::fault::Fault;
use crate::inbox::Reply;

/// Contexts that are woken in one step, so that others have their turn.
const MOST_WOKEN: usize = 8;
/// A clock that is this far off what it should show was set.
const SET_MS: u64 = 1_000;

/// The machine that works on some of the contexts.
pub(crate) struct Shard {
    outside: Outside,
    cells: BTreeMap<ContextId, Cell>,
    /// Who is to be woken when.
    agenda: BTreeSet<(u64, ContextId)>,
    due: BTreeMap<ContextId, u64>,
    lives: u64,
    /// The time of day when the clock of turns showed nothing.
    began_ms: Option<u64>,
    stopping: Option<Option<Reply<()>>>,
}

impl Shard {
    /// One that opens these contexts as soon as it is driven.
    pub(crate) fn new(outside: Outside) -> Self {
        Self {
            outside,
            cells: BTreeMap::new(),
            agenda: BTreeSet::new(),
            due: BTreeMap::new(),
            lives: 0,
            began_ms: None,
            stopping: None,
        }
    }

    /// Opens a context that is stored.
    pub(crate) fn load(&mut self, context: ContextId) {
        // Those that are stored are asked for when the first turn comes.
        self.agenda.insert((0, context));
    }

    const fn next_life(&mut self) -> Life {
        self.lives += 1;
        Life(self.lives)
    }

    /// Lets something happen to a context. A panic ends here, and so does whatever it cannot go on after.
    fn with(
        &mut self,
        context: ContextId,
        turn: &mut Turn<'_, Want>,
        act: impl FnOnce(&mut Cell, &mut Tools<'_>) -> Result<(), Broken>,
    ) {
        let at = self.moment(turn.now_ms());
        let next = self.next_life();
        let Some(cell) = self.cells.get_mut(&context) else { return };
        let mut wants = Vec::new();
        let reach = Arc::clone(&cell.reach);
        let mut tools = Tools {
            outside: &self.outside,
            dice: turn.entropy(),
            wants: &mut wants,
            at,
            reach: &reach,
        };
        let acted = catch_unwind(AssertUnwindSafe(|| act(cell, &mut tools)));
        match acted {
            Ok(Ok(())) => {}
            Ok(Err(why)) => cell.reload(&why, next, &mut tools),
            Err(panic) => cell.fall(&drive::reason(panic.as_ref()), next, &mut tools),
        }
        let (is_gone, wake_ms) = (cell.is_gone(&tools), cell.wake_ms(at));
        if is_gone {
            self.cells.remove(&context);
        }
        self.wake_at(context, wake_ms);
        wants.into_iter().for_each(|want| turn.want(want));
    }

    fn wake_at(&mut self, context: ContextId, at_ms: Option<u64>) {
        if self.due.get(&context).copied() == at_ms {
            return;
        }
        if let Some(before) = self.due.remove(&context) {
            self.agenda.remove(&(before, context));
        }
        if let Some(at_ms) = at_ms {
            self.due.insert(context, at_ms);
            self.agenda.insert((at_ms, context));
        }
    }

    /// The time. Where the clock of this machine was set, everybody plans anew.
    fn moment(&mut self, steady_ms: u64) -> Moment {
        let wall_ms = self.outside.wall.now_ms();
        let began_ms = wall_ms.saturating_sub(steady_ms);
        let before_ms = *self.began_ms.get_or_insert(began_ms);
        if before_ms.abs_diff(began_ms) > SET_MS {
            tracing::warn!(
                by_ms = before_ms.abs_diff(began_ms),
                "the clock of this machine was set"
            );
            self.began_ms = Some(began_ms);
            let due = self.due.keys().map(|context| (steady_ms, *context)).collect::<Vec<_>>();
            due.into_iter().for_each(|(at_ms, context)| self.wake_at(context, Some(at_ms)));
        }
        Moment { wall_ms, steady_ms }
    }

    fn create(&mut self, context: ContextId, turn: &mut Turn<'_, Want>) {
        let life = self.next_life();
        let entry = self.outside.directory.enter(context);
        let mut wants = Vec::new();
        self.cells.insert(context, Cell::new(entry, life, &mut wants));
        wants.into_iter().for_each(|want| turn.want(want));
    }

    fn begin(&mut self, context: ContextId, ask: Ask, turn: &mut Turn<'_, Want>) {
        let Ask::Begin(beginning, given, reply) = ask else { return };
        if self.stopping.is_some() {
            return reply.send(Err(Fault::Stopping));
        }
        if !self.cells.contains_key(&context) {
            if self.outside.directory.is_full() {
                return reply.send(Err(Fault::TooMany { most: MOST_CONTEXTS }));
            }
            self.create(context, turn);
        }
        self.with(context, turn, |cell, tools| cell.begin(beginning, (given, reply), tools));
    }

    fn stop(&mut self, reply: Reply<()>, turn: &mut Turn<'_, Want>) {
        self.stopping = Some(Some(reply));
        let all = self.cells.keys().copied().collect::<Vec<_>>();
        for context in all {
            self.with(context, turn, Cell::stop);
        }
    }

    /// When all has stopped, it is said so, and everything is let go of.
    fn stop_if_done(&mut self) {
        let Some(waiting) = &mut self.stopping else { return };
        if waiting.is_some() && self.cells.values().all(Cell::has_stopped) {
            let reply = waiting.take();
            self.cells.values_mut().for_each(Cell::close);
            self.agenda.clear();
            self.due.clear();
            if let Some(reply) = reply {
                reply.send(());
            }
        }
    }

    fn route(&mut self, message: Message, turn: &mut Turn<'_, Want>) {
        match message {
            Message::Stop(reply) => self.stop(reply, turn),
            Message::Trim => {
                let all = self.cells.keys().copied().collect::<Vec<_>>();
                for context in all {
                    self.with(context, turn, |cell, tools| cell.on(Message::Trim, tools));
                }
            }
            Message::Asked(context, ask @ Ask::Begin(..)) => self.begin(context, ask, turn),
            Message::Reach(context, peer, is_there) => {
                if let Some(cell) = self.cells.get_mut(&context) {
                    let reach = Arc::make_mut(&mut cell.reach);
                    match is_there {
                        true => reach.insert(peer),
                        false => reach.remove(&peer),
                    };
                }
                self.with(context, turn, |cell, tools| cell.on(message, tools));
            }
            Message::Asked(context, ask) if !self.cells.contains_key(&context) => {
                ask.refuse(Fault::NoContext(context.to_string()));
            }
            Message::Asked(context, ask) => {
                self.with(context, turn, |cell, tools| match cell.queue(ask, tools) {
                    Some(ask) => cell.on(Message::Asked(context, ask), tools),
                    None => Ok(()),
                });
            }
            message => {
                use mangrove_protocol::machine::Event as _;
                if let Some(context) = message.context() {
                    self.with(context, turn, |cell, tools| cell.on(message, tools));
                }
            }
        }
    }
}

impl Machine for Shard {
    type Event = Message;
    type Effect = Want;

    fn on(&mut self, event: Message, turn: &mut Turn<'_, Want>) -> Verdict {
        self.route(event, turn);
        self.stop_if_done();
        Verdict::Go
    }

    fn deadline_ms(&self) -> Option<u64> {
        self.agenda.first().map(|(at_ms, _)| *at_ms)
    }

    fn on_deadline(&mut self, turn: &mut Turn<'_, Want>) -> Verdict {
        for _ in 0..MOST_WOKEN {
            let first = self.agenda.first().copied();
            let Some((at_ms, context)) = first.filter(|(at_ms, _)| *at_ms <= turn.now_ms()) else {
                break;
            };
            self.agenda.remove(&(at_ms, context));
            self.due.remove(&context);
            match self.cells.contains_key(&context) {
                true => self.with(context, turn, Cell::wake),
                false => self.create(context, turn),
            }
        }
        self.stop_if_done();
        Verdict::Go
    }
}
