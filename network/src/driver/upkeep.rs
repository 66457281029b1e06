//! What the driver looks after without being reminded.

use super::{Driver, TICK, millis};
use crate::gauge::Warning;
use crate::name;
use crate::overview::{Overview, Queue};

/// How often it tells how it fares, and how often it writes down where peers were met, if nobody is new.
const REPORT_TICKS: u64 = 60;
const SAVE_TICKS: u64 = 300;
/// Dials at a time.
const DIALS: usize = 32;

impl Driver {
    pub(super) fn tick(&mut self) {
        self.ticks += 1;
        self.write_ledger();
        self.calls.forget_abandoned();
        let now_ms = self.now_ms();
        self.intake.forget_idle(now_ms);
        self.forgive();
        self.mind_the_door();
        self.measure();
        if self.ticks.is_multiple_of(REPORT_TICKS) {
            self.report();
        }
        match self.ticks.is_multiple_of(SAVE_TICKS) {
            true => self.keeper.peers(self.peers.remembered()),
            false => self.keeper.new_peers(self.peers.remembered()),
        }
        self.dial();
    }

    /// Dials whoever is due, and notes when somebody will be next.
    pub(super) fn dial(&mut self) {
        let now_ms = self.now_ms();
        let room = DIALS.saturating_sub(self.dials.len());
        for dial in self.peers.due(now_ms, room) {
            self.dial_peer(dial);
        }
        // What is due and finds no room waits for the next tick.
        let soonest = now_ms + millis(TICK) / 10;
        self.wake_ms = self.peers.wake_at().map(|wake_ms| wake_ms.max(soonest));
    }

    /// Tells the door who is not let in.
    pub(super) fn mind_the_door(&mut self) {
        let away = self.peers.turned_away(self.now_ms());
        self.swarm.behaviour_mut().door.turn_away(away.filter_map(name::theirs));
    }

    /// Moves what was noted elsewhere into the ledger.
    pub(super) fn write_ledger(&mut self) {
        for ((peer, fault), times) in self.blame.take() {
            (0..times.min(1_000)).for_each(|_| self.blame(peer, fault));
        }
    }

    /// Notes how full the queues are, and says so before one overflows.
    pub(super) fn measure(&mut self) {
        let (messages, _) = self.intake.depth();
        let depths = [messages, self.commands.len() as u64];
        for (gauge, depth) in self.gauges.iter_mut().zip(depths) {
            let warning = gauge.note(depth);
            let Queue { name, depth, capacity, .. } = gauge.queue();
            match warning {
                Some(Warning::Filling) => tracing::warn!(name, depth, capacity, "a queue fills up"),
                Some(Warning::Relieved) => tracing::info!(name, depth, capacity, "it is relieved"),
                None => {}
            }
            self.metrics.queue(gauge.queue());
        }
        let signed = |number| i64::try_from(number).unwrap_or(i64::MAX);
        let [inbound, outbound] = &self.permits;
        self.metrics.streams_in.set(signed(inbound.given()));
        self.metrics.streams_out.set(signed(outbound.given()));
        self.metrics.connected.set(signed(self.peers.connected_peers() as u64));
    }

    /// Says how the network has fared since the last time.
    fn report(&mut self) {
        let peers = self.peers.connected_peers();
        for gauge in &mut self.gauges {
            let shed = gauge.shed_since();
            let Queue { name, depth, peak, capacity } = gauge.queue();
            match shed {
                0 => tracing::debug!(name, depth, peak, capacity, peers, "a queue"),
                _ => tracing::warn!(name, shed, depth, peak, capacity, peers, "a queue has shed"),
            }
        }
    }

    /// How the network stands.
    pub(super) fn overview(&mut self) -> Overview {
        self.write_ledger();
        self.measure();
        Overview {
            addresses: self.addresses(),
            peers: self.peers.roll(self.now_ms()),
            queues: self.gauges.iter().map(|gauge| gauge.queue()).collect(),
        }
    }
}
