//! How nodes stop and start: gracefully, at once, without power, without storage.

use mangrove_protocol::effect::Input;
use mangrove_protocol::planted::Planted;
use mangrove_protocol::replica::{Bounds, Config, Durability, Replica};
use mangrove_protocol::view::{Memory, Owns, Places, Table};

use crate::attrition::Reboot;
use crate::bug::Bug;
use crate::dice::Dice;
use crate::founding::Founding;
use crate::node::{Cell, Flight, Life, Process, Spot, State};
use crate::oracle;
use crate::store::Store;
use crate::world::{Event, Phase, World};

impl World {
    /// Takes a node down, and lets it come back later.
    pub(crate) fn go_down(&mut self, at: usize, how: Reboot) {
        match how {
            Reboot::Graceful => self.stop(at),
            Reboot::Crash => self.kill(at),
            Reboot::PowerLoss => self.lose_power(at),
            Reboot::CrashAndWipe => self.wipe(at),
        }
    }

    /// So many nodes do not run, or are about to stop.
    pub(crate) fn dead(&self) -> usize {
        let runs =
            |node: &&crate::node::Node| node.running().is_some_and(|process| !process.stopping);
        self.nodes.len() - self.nodes.iter().filter(runs).count()
    }

    fn stop(&mut self, at: usize) {
        self.tally.hit("reboots: graceful");
        let (low, high) = self.settings.attrition.grace_period_ms;
        let grace_ms = self.dice.between(low, high);
        let Some(node) = self.nodes.get_mut(at) else { return };
        let life = node.life;
        let Some(process) = node.process() else { return };
        process.stopping = true;
        self.after(grace_ms, Event::GraceEnds { node: at, life });
        for context in 0..self.settings.contexts {
            self.feed(Spot { node: at, context }, Input::Stop);
        }
    }

    /// A process that was told to stop and has nothing left to do ends.
    pub(crate) fn exit_if_done(&mut self, at: usize) {
        let Some(process) = self.nodes.get(at).and_then(|node| node.running()) else { return };
        if process.stopping && process.cells.iter().all(|cell| cell.replica.is_idle()) {
            self.tally.hit("stopped in time");
            let checked = self.ledger.check_answered(at);
            self.demand(at, checked);
            if let Some(node) = self.nodes.get_mut(at) {
                node.store.open();
            }
            self.end(at);
        }
    }

    /// Its time is over, and it still runs.
    pub(crate) fn end_grace(&mut self, at: usize) {
        self.tally.hit("killed after the grace period");
        self.end(at);
    }

    fn kill(&mut self, at: usize) {
        self.tally.hit("reboots: crash");
        self.end(at);
    }

    fn lose_power(&mut self, at: usize) {
        self.tally.hit("reboots: power loss");
        self.lose_unsynced(at);
        self.end(at);
    }

    fn lose_unsynced(&mut self, at: usize) {
        let Some(node) = self.nodes.get_mut(at) else { return };
        let loss = node.store.lose_power(&mut self.dice);
        if loss.lost > 0 {
            self.tally.hit("unsynced tail lost");
            if node.durability == Durability::Buffered {
                node.memory += 1;
                let spots = (0..self.settings.contexts).map(|context| Spot { node: at, context });
                spots.for_each(|spot| self.ledger.forgive(spot, node.store.written(spot.context)));
            }
        }
        if loss.kept > 0 {
            self.tally.hit("unsynced tail kept in part");
        }
    }

    fn wipe(&mut self, at: usize) {
        self.tally.hit("reboots: wipe");
        let left = (0..self.settings.contexts).map(|context| self.left(Spot { node: at, context }));
        let left = left.collect();
        let Some(node) = self.nodes.get_mut(at) else { return };
        node.store.wipe(left);
        node.memory += 1;
        for context in 0..self.settings.contexts {
            self.ledger.forgive(Spot { node: at, context }, None);
        }
        self.end(at);
    }

    /// What a node has of a context after its storage was lost: what it began with, or nothing, as
    /// long as somebody else can tell it who may do what.
    fn left(&mut self, spot: Spot) -> Memory {
        let node = self.nodes.get(spot.node);
        let beginning = node.and_then(|node| node.beginning.get(spot.context)).cloned();
        let told = (0..self.settings.nodes)
            .any(|node| node != spot.node && self.knows_founding(Spot { node, ..spot }));
        match told && self.dice.chance(500) {
            true => {
                self.tally.hit("nodes that forgot even who may do what");
                Memory::default()
            }
            false => beginning.unwrap_or_default(),
        }
    }

    /// Whether a node will always know how a context began.
    pub(crate) fn knows_founding(&self, spot: Spot) -> bool {
        let last = self.cast.contexts.get(spot.context).map(Founding::last);
        let image = self.nodes.get(spot.node).and_then(|node| node.store.synced(spot.context));
        image.zip(last).is_some_and(|(image, last)| Places::rows(image).contains_key(&last))
    }

    /// Gives every node what it begins with.
    pub(crate) fn hand_out(&mut self) {
        for node in 0..self.settings.nodes {
            let beginning = (0..self.settings.contexts).map(|context| {
                let spot = Spot { node, context };
                let mut config = self.config(spot);
                (config.bounds, config.planted) = (Bounds::default(), Planted::default());
                let mut dice = Dice::new(self.settings.seed, &[9, node as u64, context as u64]);
                let founding = self.cast.contexts.get(context);
                let founding = founding.filter(|_| self.settings.politics.is_member(node));
                founding.map(|it| it.stored(&config, &mut dice)).unwrap_or_default()
            });
            let beginning = beginning.collect::<Vec<_>>();
            if let Some(node) = self.nodes.get_mut(node) {
                node.store = Store::holding(beginning.clone());
                node.beginning = beginning;
            }
        }
    }

    /// Whether the sync that ends fails.
    pub(crate) fn sync_fails(&mut self) -> bool {
        let may = self.phase == Phase::Chaos && self.dead() < self.settings.attrition.max_dead;
        may && self.dice.chance(self.settings.disk.sync_failures)
    }

    /// A sync has failed. What the disk holds of it is anybody's guess; the node gives up.
    pub(crate) fn poison(&mut self, at: usize) {
        self.tally.hit("syncs failed");
        if let Some(node) = self.nodes.get_mut(at) {
            node.store.poison();
        }
        self.lose_unsynced(at);
        self.end(at);
    }

    /// The process is gone, with everything that was only in memory.
    fn end(&mut self, at: usize) {
        self.trace.note(self.now_ms, at, "ends", &[]);
        let (low, high) = self.settings.attrition.recovery_delay_ms;
        let after_ms = self.dice.between(low, high);
        let Some(node) = self.nodes.get_mut(at) else { return };
        if let State::Up(process) = std::mem::replace(&mut node.state, State::Down) {
            for cell in &process.cells {
                match cell.flight {
                    Flight::None => {}
                    Flight::Asked { .. } => self.tally.hit("ended before a commit was written"),
                    Flight::Written { .. } => self.tally.hit("ended between commit and publish"),
                }
                if cell.ahead.is_some() {
                    self.tally.hit("ended with a commit made ahead");
                }
            }
        }
        node.life = Life(node.life.0 + 1);
        let life = node.life;
        self.lose_calls(at);
        self.end_streams(at);
        if self.phase == Phase::Chaos || self.core.contains(&at) {
            self.after(after_ms, Event::Start { node: at, life });
        }
        self.power_may_fail(at, after_ms);
    }

    /// A machine may lose power while its node does not run.
    fn power_may_fail(&mut self, at: usize, down_ms: u64) {
        let weight = self.settings.attrition.prob_power.min(1);
        if self.phase == Phase::Chaos && self.dice.chance(200 * weight) {
            let after_ms = self.dice.below(down_ms + 200);
            self.after(after_ms, Event::Down { node: at, how: Reboot::PowerLoss });
        }
    }

    /// A process begins, and opens the store.
    pub(crate) fn start(&mut self, at: usize, life: Life) {
        let after_ms = self.dice.below(100);
        let Some(node) = self.nodes.get_mut(at) else { return };
        if node.life == life && matches!(node.state, State::Down) {
            node.state = State::Opening;
            self.after(after_ms, Event::Opened { node: at, life });
        }
    }

    /// The store is open: the node is there again.
    pub(crate) fn opened(&mut self, at: usize, life: Life) {
        let wall_ms = self.wall_ms(at);
        let seed = self.settings.seed;
        let configs = (0..self.settings.contexts)
            .map(|context| self.config(Spot { node: at, context }))
            .collect::<Vec<_>>();
        let desks = (0..self.settings.contexts)
            .map(|context| self.desk(Spot { node: at, context }))
            .collect::<Vec<_>>();
        let bug = self.bug;
        let Some(node) = self.nodes.get_mut(at) else { return };
        if node.life != life || !matches!(node.state, State::Opening) {
            return;
        }
        match bug {
            Some(Bug::OpenBeforeSync) => node.store.open_unsynced(),
            _ => node.store.open(),
        }
        let mut cells = Vec::new();
        for (context, (config, desk)) in configs.into_iter().zip(desks).enumerate() {
            let Some(view) = node.store.written(context) else { continue };
            let own = Owns::rows(view).get(&());
            cells.push(Cell {
                replica: Replica::boot(config, wall_ms, view),
                flight: Flight::None,
                ahead: None,
                begun: false,
                must_sync: false,
                wake_at_ms: None,
                desk,
                is_stirred: false,
                desk_wake_ms: None,
                feed: own.map(|own| own.feed).unwrap_or_default(),
            });
        }
        let entropy = Dice::new(seed, &[5, at as u64, life.0]);
        let process = Process { cells, entropy, syncing: None, stopping: false };
        node.state = State::Up(Box::new(process));
        self.trace.note(self.now_ms, at, "starts", &[]);
        self.tally.hit("boots");
        self.wake_up(at, life);
    }

    fn wake_up(&mut self, at: usize, life: Life) {
        for context in 0..self.settings.contexts {
            let spot = Spot { node: at, context };
            let checked = oracle::check_boot(self, spot);
            self.demand(at, checked);
            self.feed(spot, Input::Tick);
            let checked = oracle::leave::nothing_forgotten(self, spot);
            self.demand(at, checked);
        }
        for other in (0..self.settings.nodes).filter(|other| *other != at) {
            self.meet(at, other);
            self.meet(other, at);
        }
        self.after(self.settings.disk.flush_ms, Event::Flush { node: at, life });
    }

    fn config(&self, spot: Spot) -> Config {
        let node = self.nodes.get(spot.node);
        Config {
            context: self.cast.context(spot.context),
            keys: self.cast.nodes.get(spot.node).unwrap_or(&self.cast.mallory).clone(),
            mode: oracle::mode(&self.settings, spot.node),
            durability: node.map_or(Durability::Fsync, |node| node.durability),
            bounds: self.settings.bounds,
            planted: Bug::planted(self.bug),
        }
    }
}
