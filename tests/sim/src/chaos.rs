//! What goes wrong besides the nodes' own business: links, clocks, reboots, keys that come late.

use mangrove_protocol::effect::Input;
use mangrove_protocol::view::{Keys, Table};

use crate::attrition::Reboot;
use crate::network::Passage;
use crate::node::{Spot, State};
use crate::world::{Event, Phase, World, skew};

impl World {
    /// Lets everything begin that this run has been given.
    pub(crate) fn begin_chaos(&mut self) {
        self.after(5_000, Event::Inspect);
        let (reboots, cuts) = (self.settings.reboot_every_ms, self.settings.cut_every_ms);
        self.again(reboots, Event::Attrition);
        self.again(cuts, Event::CutLinks);
        self.again(self.settings.malice.every_ms, Event::Malice);
        self.again(self.settings.politics.every_ms, Event::Govern);
        if self.settings.clock_steps.happens() {
            self.again(8_000, Event::StepClock);
        }
        let twin = self.settings.malice.twin.filter(|_| self.settings.malice.every_ms > 0);
        let honest = |peer: &mangrove_protocol::id::PeerId| self.cast.node(*peer).is_some();
        let twin = twin.map(|twin| self.cast.peer(twin)).filter(honest);
        self.ledger.dishonest.extend(twin);
        self.ledger.dishonest.insert(self.cast.mallory.peer());
    }

    /// Schedules what happens every so often, and not at all if that is 0.
    fn again(&mut self, every_ms: u64, event: Event) {
        if every_ms > 0 {
            let after_ms = self.dice.between(every_ms / 2, every_ms * 3 / 2);
            self.after(after_ms, event);
        }
    }

    /// A node may go down.
    pub(crate) fn attrition(&mut self) {
        if self.phase != Phase::Chaos {
            return;
        }
        self.again(self.settings.reboot_every_ms, Event::Attrition);
        if self.dead() >= self.settings.attrition.max_dead {
            self.tally.hit("reboots not made: too many down");
            return;
        }
        let running = |node: &&usize| {
            let process = self.nodes.get(**node).and_then(|node| node.running());
            process.is_some_and(|process| !process.stopping)
        };
        let all = (0..self.settings.nodes).collect::<Vec<_>>();
        let running = all.iter().filter(running).copied().collect::<Vec<_>>();
        let how = self.settings.attrition.choose(&mut self.dice);
        if let Some(node) = self.dice.pick(&running).copied() {
            self.go_down(node, how);
        }
        let dead = self.dead();
        self.tally.most("most nodes down at once", dead as u64);
        if dead > self.settings.attrition.max_dead {
            let what = "more nodes are down than there may be";
            self.fail(None, crate::verdict::Violation::new("M3", what));
        }
    }

    /// The power fails where a node may not even run.
    pub(crate) fn fail_power(&mut self, at: usize, how: Reboot) {
        let Some(node) = self.nodes.get(at) else { return };
        let one_more = node.running().is_some_and(|process| !process.stopping);
        if self.phase != Phase::Chaos
            || (one_more && self.dead() >= self.settings.attrition.max_dead)
        {
            return;
        }
        match node.state {
            State::Down => self.tally.hit("power lost while down"),
            State::Opening => self.tally.hit("crashes during a start"),
            State::Up(_) => {}
        }
        self.go_down(at, how);
    }

    /// Some links stop working for a while.
    pub(crate) fn cut_links(&mut self) {
        if self.phase != Phase::Chaos {
            return;
        }
        self.again(self.settings.cut_every_ms, Event::CutLinks);
        let (cut, passage) = self.choose_cut();
        for (from, to) in &cut {
            self.network.set(*from, *to, passage);
        }
        let writes = self.writes();
        let after_ms = self.dice.between(1_000, 15_000);
        self.after(after_ms, Event::MendLinks { cut, writes });
    }

    fn choose_cut(&mut self) -> (Vec<(usize, usize)>, Passage) {
        let nodes = self.settings.nodes;
        let (one, other) = (self.dice.index(nodes), self.dice.index(nodes));
        let pairs = |inside: &dyn Fn(usize) -> bool| {
            let all = (0..nodes).flat_map(|from| (0..nodes).map(move |to| (from, to)));
            all.filter(|(from, to)| inside(*from) != inside(*to)).collect::<Vec<_>>()
        };
        match self.dice.below(4) {
            0 => {
                self.tally.hit("links cut: partition");
                let side = self.dice.below(1 << nodes);
                (pairs(&|node| side >> node & 1 == 1), Passage::Cut)
            }
            1 => {
                self.tally.hit("links cut: one node alone");
                (pairs(&|node| node == one), Passage::Cut)
            }
            2 => {
                self.tally.hit("links cut: one way");
                (vec![(one, other)], Passage::Cut)
            }
            _ => {
                self.tally.hit("links cut: half open");
                (vec![(one, other), (other, one)], Passage::HalfOpen)
            }
        }
    }

    /// How many deltas each node has written.
    fn writes(&self) -> Vec<u64> {
        let mut writes = vec![0; self.settings.nodes];
        for (spot, authored) in &self.ledger.authored {
            if let Some(count) = writes.get_mut(spot.node) {
                *count += authored.len() as u64;
            }
        }
        writes
    }

    /// Links work again.
    pub(crate) fn mend_links(&mut self, cut: &[(usize, usize)], before: &[u64]) {
        if self.phase != Phase::Chaos {
            return;
        }
        let after = self.writes();
        let wrote = |node: &usize| after.get(*node) > before.get(*node);
        if cut.iter().any(|(from, to)| wrote(from) && wrote(to)) {
            self.tally.hit("partitions healed with both sides written");
        }
        for (from, to) in cut {
            self.network.set(*from, *to, Passage::Open);
            self.meet(*from, *to);
            self.meet(*to, *from);
        }
    }

    /// A clock jumps.
    pub(crate) fn step_clock(&mut self) {
        if self.phase != Phase::Chaos {
            return;
        }
        self.again(8_000, Event::StepClock);
        let at = self.dice.index(self.settings.nodes);
        let skew_ms = skew(&mut self.dice, self.settings.skew_ms.max(1_000));
        self.set_clock(at, skew_ms);
    }

    pub(crate) fn set_clock(&mut self, at: usize, skew_ms: i64) {
        let Some(node) = self.nodes.get_mut(at) else { return };
        node.skew_ms = skew_ms;
        self.tally.hit("clocks set");
        for context in 0..self.settings.contexts {
            self.feed(Spot { node: at, context }, Input::Tick);
        }
    }

    /// Keys come to some nodes by another way than boxes.
    pub(crate) fn withhold_keys(&mut self) {
        if !self.settings.late_keys.happens() {
            return;
        }
        for spot in self.spots() {
            let is_member = self.settings.politics.is_member(spot.node);
            if self.dice.chance(500) && is_member {
                let after_ms = self.dice.below(self.settings.chaos_ms);
                self.after(after_ms, Event::LearnKey { spot });
            }
        }
    }

    /// The next key that a node lacks comes to it.
    pub(crate) fn learn_key(&mut self, spot: Spot) {
        let held = self.nodes.get(spot.node).and_then(|node| node.store.written(spot.context));
        let Some(held) = held.map(Keys::rows) else { return };
        let lacking =
            self.cast.epochs(spot.context).iter().find(|key| !held.contains_key(&key.id()));
        let Some(key) = lacking.cloned() else { return };
        self.tally.hit("keys learnt late");
        self.feed(spot, Input::Key(key));
        self.after(2_000, Event::LearnKey { spot });
    }
}
