//! The world of one run: its time, its queue of events, and everybody in it.

use std::collections::BTreeMap;

use mangrove_protocol::id::{DeltaId, EpochId};
use mangrove_protocol::seal::EpochKey;
use mangrove_protocol::sync::Link;
use mangrove_protocol::sync::desk::Event as Occasion;

use crate::attrition::Reboot;
use crate::bug::Bug;
use crate::cast::Cast;
use crate::dice::Dice;
use crate::exchange::End;
use crate::hostile::Hostile;
use crate::ledger::Ledger;
use crate::network::{Fate, Frame, Network};
use crate::node::{Life, Node, Spot, State};
use crate::oracle::reference::Payloads;
use crate::settings::Settings;
use crate::store::{Store, Ticket};
use crate::tally::Tally;
use crate::trace::{Detail, Trace};
use crate::verdict::{Failure, Outcome, Violation};
use crate::workload::Client;

/// The wall clock at the beginning, in Unix ms.
pub(crate) const BEGINNING_MS: u64 = 1_767_225_600_000;

/// No run has more events than this: one that does runs in circles.
const MOST_EVENTS: u64 = 2_000_000;

/// Something that happens at its time.
#[derive(Debug)]
pub(crate) enum Event {
    Arrive { from: usize, to: Spot, life: Life, frame: Frame, fate: Fate },
    Wake { spot: Spot, life: Life },
    Write { spot: Spot, life: Life },
    Synced { node: usize, life: Life, until: Ticket },
    Flush { node: usize, life: Life },
    Desk { spot: Spot, life: Life, occasion: Occasion },
    Sent { spot: Spot, link: Link, arrives_ms: u64 },
    Published { spot: Spot, life: Life, deltas: Vec<DeltaId> },
    Call { spot: Spot },
    Attrition,
    Start { node: usize, life: Life },
    Opened { node: usize, life: Life },
    GraceEnds { node: usize, life: Life },
    Down { node: usize, how: Reboot },
    CutLinks,
    MendLinks { cut: Vec<(usize, usize)>, writes: Vec<u64> },
    StepClock,
    LearnKey { spot: Spot },
    Malice,
    Govern,
    Inspect,
    Recover,
    Mark { spot: Spot },
    Converged,
    Rest,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Things go wrong.
    Chaos,
    /// They no longer do, and everybody catches up.
    Recovery,
    /// Everybody has; what is on its way arrives.
    Settling,
    /// Nothing may happen any more.
    Rest,
    /// It is over.
    Over,
}

/// The world.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) settings: Settings,
    pub(crate) bug: Option<Bug>,
    pub(crate) cast: Cast,
    pub(crate) now_ms: u64,
    pub(crate) phase: Phase,
    pub(crate) nodes: Vec<Node>,
    /// The nodes that recover.
    pub(crate) core: Vec<usize>,
    pub(crate) network: Network,
    pub(crate) clients: BTreeMap<Spot, Client>,
    pub(crate) hostile: Hostile,
    pub(crate) ledger: Ledger,
    pub(crate) payloads: Payloads,
    /// The keys of all epochs that ever were, which no node has to itself.
    pub(crate) epochs: BTreeMap<EpochId, EpochKey>,
    pub(crate) tally: Tally,
    pub(crate) trace: Trace,
    pub(crate) dice: Dice,
    /// What decides about decisions.
    pub(crate) ballot: Dice,
    pub(crate) recovery: crate::recovery::Recovery,
    pub(crate) streams: BTreeMap<(Spot, Link), End>,
    queue: BTreeMap<(u64, u64), Event>,
    scheduled: u64,
    failure: Option<Failure>,
}

/// Runs one seed from beginning to end.
pub fn run(settings: Settings, bug: Option<Bug>, detail: Detail) -> Outcome {
    let mut world = World::new(settings, bug, detail);
    world.begin();
    while world.failure.is_none() && world.phase != Phase::Over {
        let Some(((at_ms, _), event)) = world.queue.pop_first() else { break };
        world.now_ms = world.now_ms.max(at_ms);
        world.happen(event);
        if world.trace.events() > MOST_EVENTS {
            world.fail(None, Violation::new("R2", "there is no end to it"));
        }
    }
    if world.failure.is_none() && world.phase != Phase::Over {
        world.fail(None, Violation::new("Q1", "everything stands still before the end"));
    }
    let tally = std::mem::take(&mut world.tally);
    Outcome {
        hash: world.trace.hash(),
        tally,
        failure: world.failure,
        trace: world.trace.into_lines(),
    }
}

impl World {
    fn new(settings: Settings, bug: Option<Bug>, detail: Detail) -> Self {
        let cast = Cast::new(&settings);
        let mut dice = Dice::new(settings.seed, &[4]);
        let ballot = Dice::new(settings.seed, &[10]);
        let nodes = settings.durability.iter().map(|durability| Node {
            store: Store::new(0),
            durability: *durability,
            skew_ms: skew(&mut dice, settings.skew_ms),
            beginning: Vec::new(),
            life: Life(0),
            state: State::Down,
            memory: 0,
        });
        let nodes = nodes.collect();
        let epochs = cast.contexts.iter().flat_map(|it| &it.epochs);
        let epochs = epochs.map(|key| (key.id(), key.clone())).collect();
        let mut world = Self {
            network: Network::new(settings.seed, settings.links),
            hostile: Hostile::new(settings.seed),
            core: (0..settings.nodes).collect(),
            bug,
            cast,
            nodes,
            dice,
            ballot,
            now_ms: 0,
            phase: Phase::Chaos,
            clients: BTreeMap::new(),
            ledger: Ledger::default(),
            payloads: Payloads::default(),
            tally: Tally::default(),
            trace: Trace::new(detail),
            recovery: crate::recovery::Recovery::default(),
            streams: BTreeMap::new(),
            queue: BTreeMap::new(),
            scheduled: 0,
            failure: None,
            epochs,
            settings,
        };
        world.hand_out();
        world
    }

    /// Every context of every node.
    pub(crate) fn spots(&self) -> Vec<Spot> {
        let contexts = self.settings.contexts;
        let all = (0..self.settings.nodes)
            .flat_map(|node| (0..contexts).map(move |context| Spot { node, context }));
        all.collect()
    }

    fn begin(&mut self) {
        self.withhold_keys();
        for node in 0..self.settings.nodes {
            let life = Life(0);
            let after_ms = self.dice.below(2_000);
            self.after(after_ms, Event::Start { node, life });
        }
        for spot in self.spots() {
            self.clients.insert(spot, Client::new(self.settings.seed, spot));
            self.after(2_000, Event::Call { spot });
        }
        self.begin_chaos();
        self.after(self.settings.chaos_ms, Event::Recover);
    }

    /// Lets something happen later.
    pub(crate) fn after(&mut self, after_ms: u64, event: Event) {
        self.scheduled += 1;
        self.queue.insert((self.now_ms + after_ms, self.scheduled), event);
    }

    /// A promise was broken.
    pub(crate) fn fail(&mut self, node: Option<usize>, violation: Violation) {
        if self.failure.is_none() {
            let (seed, bug, at_ms) = (self.settings.seed, self.bug, self.now_ms);
            self.failure = Some(Failure { seed, bug, at_ms, node, violation });
        }
    }

    /// Takes the outcome of a check on a node.
    pub(crate) fn demand(&mut self, node: usize, checked: Result<(), Violation>) {
        if let Err(violation) = checked {
            self.fail(Some(node), violation);
        }
    }

    /// A node's wall clock.
    pub(crate) fn wall_ms(&self, node: usize) -> u64 {
        let skew = self.nodes.get(node).map(|node| node.skew_ms).unwrap_or_default();
        (BEGINNING_MS + self.now_ms).saturating_add_signed(skew)
    }

    /// Whether this is still the life of the node that it was meant for.
    pub(crate) fn lives(&self, node: usize, life: Life) -> bool {
        self.nodes.get(node).is_some_and(|node| node.life == life && node.is_up())
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive { from, to, life, frame, fate } => {
                if self.lives(to.node, life) {
                    self.arrive(from, to, frame, fate);
                }
            }
            Event::Wake { spot, life } if self.lives(spot.node, life) => self.wake(spot),
            Event::Write { spot, life } if self.lives(spot.node, life) => self.write(spot),
            Event::Synced { node, life, until } if self.lives(node, life) => {
                self.synced(node, until);
            }
            Event::Flush { node, life } if self.lives(node, life) => self.flush(node),
            Event::Desk { spot, life, occasion } if self.lives(spot.node, life) => {
                self.attend(spot, occasion);
            }
            Event::Published { spot, life, deltas } if self.lives(spot.node, life) => {
                self.confirm_published(spot, deltas);
            }
            Event::GraceEnds { node, life } if self.lives(node, life) => self.end_grace(node),
            Event::Sent { spot, link, arrives_ms } => self.sent(spot, link, arrives_ms),
            Event::Start { node, life } => self.start(node, life),
            Event::Opened { node, life } => self.opened(node, life),
            Event::Call { spot } => self.call(spot),
            event => self.happen_to_all(event),
        }
    }

    fn happen_to_all(&mut self, event: Event) {
        match event {
            Event::Attrition => self.attrition(),
            Event::Down { node, how } => self.fail_power(node, how),
            Event::CutLinks => self.cut_links(),
            Event::MendLinks { cut, writes } => self.mend_links(&cut, &writes),
            Event::StepClock => self.step_clock(),
            Event::LearnKey { spot } => self.learn_key(spot),
            Event::Malice => self.malice(),
            Event::Govern => self.govern(),
            Event::Inspect => self.inspect(),
            Event::Recover => self.recover(),
            Event::Mark { spot } => self.mark(spot),
            Event::Converged => self.look_for_convergence(),
            Event::Rest => self.rest(),
            _ => {}
        }
    }
}

/// How far a clock is off, at most this far either way.
pub(crate) fn skew(dice: &mut Dice, most_ms: u64) -> i64 {
    let drawn = i64::try_from(dice.below(2 * most_ms + 1)).unwrap_or_default();
    drawn - i64::try_from(most_ms).unwrap_or_default()
}
