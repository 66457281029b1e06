//! How nodes get what they lack: everybody tells everybody at once, which may fail, and the desks of
//! the product ask somebody for the rest over streams, which must not.
//!
//! A stream keeps its order and damages nothing, and it can end at any frame, on both sides or, for a
//! long while, on one.

use std::sync::Arc;

use mangrove_protocol::delta::{Delta, Unverified};
use mangrove_protocol::effect::Input;
use mangrove_protocol::planted::Planted;
use mangrove_protocol::sync::desk::{Action, Config, Desk, Event as Occasion, Room};
use mangrove_protocol::sync::{Link, Message, Offence};
use mangrove_protocol::view::{Deltas, Table};

use crate::bug::Bug;
use crate::dice::Dice;
use crate::network::{Fate, Frame};
use crate::node::{Life, Spot};
use crate::oracle;
use crate::verdict::Violation;
use crate::world::{Event, Phase, World};

/// How long it takes until both sides notice that a stream is broken, at most.
const NOTICED_MS: u64 = 20_000;

/// One end of a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    /// The other one.
    other: (Spot, Link),
    /// The life of the node over there that it leads to.
    life: Life,
    /// When the last frame that was sent here arrives there.
    arrives_ms: u64,
    /// Whether nothing arrives any more.
    is_broken: bool,
}

impl World {
    /// Sends a frame to all others that run.
    pub(crate) fn spread(&mut self, from: Spot, frame: &Frame) {
        for node in 0..self.settings.nodes {
            if node != from.node {
                self.send(from.node, Spot { node, ..from }, frame.clone());
            }
        }
    }

    /// Sends a frame on its way.
    pub(crate) fn send(&mut self, from: usize, to: Spot, frame: Frame) {
        let Some(life) = self.nodes.get(to.node).filter(|node| node.is_up()).map(|it| it.life)
        else {
            return;
        };
        self.tally.hit("frames sent");
        let sides = [Spot { node: from, ..to }, to];
        if self.phase == Phase::Rest && self.are_seated(&sides) && matches!(frame, Frame::Gossip(_))
        {
            self.tally.hit("deltas sent at rest");
        }
        let arrivals = self.network.send(self.now_ms, (from, to.node), frame);
        if arrivals.is_empty() {
            self.tally.hit("frames lost");
        }
        for arrival in arrivals {
            let after_ms = arrival.at_ms.saturating_sub(self.now_ms);
            let (frame, fate) = (arrival.frame, arrival.fate);
            self.after(after_ms, Event::Arrive { from, to, life, frame, fate });
        }
    }

    /// A frame has come.
    pub(crate) fn arrive(&mut self, from: usize, to: Spot, frame: Frame, fate: Fate) {
        self.trace.note(self.now_ms, to.node, frame.label(), &(from as u64).to_le_bytes());
        let to = match fate {
            Fate::Misdelivered => {
                self.tally.hit("frames misdelivered");
                Spot { context: (to.context + 1) % self.settings.contexts, ..to }
            }
            Fate::Duplicate => {
                self.tally.hit("frames duplicated");
                to
            }
            Fate::Whole | Fate::Corrupt => to,
        };
        match frame {
            Frame::Gossip(bytes) => self.gossip(from, to, &[bytes]),
            Frame::Slip(deltas) => self.gossip(from, to, &deltas),
            Frame::Beat(beat) => {
                let from = self.cast.peer(from);
                self.feed(to, Input::Heartbeat { from, beat });
            }
        }
    }

    fn gossip(&mut self, from: usize, to: Spot, bytes: &[Arc<[u8]>]) {
        let mut deltas = Vec::new();
        for bytes in bytes {
            match self.payloads.authentic(bytes) {
                Some(delta) => deltas.push(delta),
                None => self.tally.hit("frames refused: corrupt"),
            }
        }
        if !deltas.is_empty() {
            self.deliver(to, self.cast.peer(from), deltas);
        }
    }

    fn deliver(&mut self, to: Spot, from: mangrove_protocol::id::PeerId, deltas: Vec<Delta>) {
        self.tally.add("deltas delivered", deltas.len() as u64);
        let known = deltas.iter().filter(|delta| {
            let image = self.nodes.get(to.node).and_then(|node| node.store.written(to.context));
            image.is_some_and(|image| Deltas::rows(image).contains_key(&delta.id()))
        });
        self.tally.add("deltas delivered again", known.count() as u64);
        self.feed(to, Input::Deltas { from, deltas });
    }

    /// A desk for one context of a node that starts.
    pub(crate) fn desk(&self, spot: Spot) -> Desk {
        let mut dice = Dice::new(self.settings.seed, &[12, spot.node as u64]);
        let dice = &mut dice;
        let window = *dice.pick(&[8 * 1024, 64 * 1024, 4 * 1024 * 1024]).unwrap_or(&8_192);
        let room = Room {
            bytes: window * dice.between(1, 4),
            window,
            probe: window / 8,
            places: *dice.pick(&[3, 40, 16_384]).unwrap_or(&3),
            probe_places: *dice.pick(&[1, 64]).unwrap_or(&1),
            round_ms: self.settings.round_ms,
            ..Room::default()
        };
        let planted = match self.bug {
            Some(Bug::Planted(bug)) => Planted::bugs([bug]),
            _ => Planted::default(),
        };
        let (context, us) = (self.cast.context(spot.context), self.cast.peer(spot.node));
        Desk::new(Config { context, us, room, planted })
    }

    /// A node can reach another, from now on.
    pub(crate) fn meet(&mut self, node: usize, other: usize) {
        let (after_ms, them) = (self.dice.below(1_000), self.cast.peer(other));
        for context in 0..self.settings.contexts {
            self.soon(after_ms, Spot { node, context }, Occasion::Met(them));
        }
    }

    /// Lets something happen to the desk of a context later.
    pub(crate) fn soon(&mut self, after_ms: u64, spot: Spot, occasion: Occasion) {
        if let Some(life) = self.nodes.get(spot.node).map(|node| node.life) {
            self.after(after_ms, Event::Desk { spot, life, occasion });
        }
    }

    /// The replica has gone on, so its desk may.
    pub(crate) fn stir(&mut self, spot: Spot) {
        let cell = self.nodes.get_mut(spot.node).and_then(|node| node.cell(spot.context));
        if cell.is_some_and(|cell| !std::mem::replace(&mut cell.is_stirred, true)) {
            self.soon(0, spot, Occasion::Moved);
        }
    }

    /// Something happens to the desk of a context.
    pub(crate) fn attend(&mut self, spot: Spot, occasion: Occasion) {
        let now_ms = self.now_ms;
        let (label, link) = occasion_label(&occasion);
        if !label.is_empty() {
            self.trace.note(now_ms, spot.node, label, &link.to_le_bytes());
        }
        let Some(node) = self.nodes.get_mut(spot.node) else { return };
        let durability = node.durability;
        let (state, store) = (&mut node.state, &node.store);
        let crate::node::State::Up(process) = state else { return };
        let Some(cell) = process.cells.get_mut(spot.context) else { return };
        let view = match durability {
            mangrove_protocol::replica::Durability::Fsync => store.synced(spot.context),
            mangrove_protocol::replica::Durability::Buffered => store.written(spot.context),
        };
        let Some(view) = view.filter(|_| cell.begun && !process.stopping) else { return };
        if matches!(occasion, Occasion::Moved) {
            cell.is_stirred = false;
        }
        let dice = &mut process.entropy;
        let mut entropy = |bytes: &mut [u8]| dice.fill(bytes);
        let actions = cell.desk.handle(occasion, now_ms, &mut entropy, (&cell.replica, view));
        let (fault, wake_ms) = (cell.desk.fault(), cell.desk.wake_at_ms(now_ms));
        if cell.desk_wake_ms.is_none_or(|at_ms| at_ms > wake_ms || at_ms <= now_ms) {
            cell.desk_wake_ms = Some(wake_ms);
            self.soon(wake_ms - now_ms, spot, Occasion::Moved);
        }
        if let Some(fault) = fault {
            self.fail(Some(spot.node), Violation::new("S13", fault));
        }
        for action in actions {
            self.carry_out(spot, action);
        }
    }

    fn carry_out(&mut self, spot: Spot, action: Action) {
        match action {
            Action::Open(peer, link) => {
                if let Some(node) = self.cast.node(peer) {
                    self.open_stream(spot, link, Spot { node, ..spot });
                }
            }
            Action::Send(link, message) => self.say(spot, link, &message),
            Action::Close(link) => self.close(spot, link),
            Action::Deliver(from, deltas) => self.deliver(spot, from, deltas),
            Action::Agreed(with) => {
                self.tally.hit("governance found equal");
                self.feed(spot, Input::Agreed { with });
            }
            Action::Ended(..) => {}
            Action::Later(_) => {}
            Action::Disconnect(peer) => {
                self.tally.hit("connections ended");
                self.soon(0, spot, Occasion::Lost(peer));
                let after_ms = self.dice.between(5_000, 30_000);
                self.soon(after_ms, spot, Occasion::Met(peer));
            }
        }
    }

    fn open_stream(&mut self, spot: Spot, link: Link, to: Spot) {
        self.tally.hit("sessions begun");
        let delay_ms = self.network.delay(self.now_ms, (spot.node, to.node), 64);
        let from = self.cast.peer(spot.node);
        let ours = self.nodes.get(spot.node).map(|node| node.life);
        let Some((node, ours)) = self.nodes.get_mut(to.node).zip(ours) else { return };
        let life = node.life;
        let Some(cell) = node.cell(to.context) else {
            // Nobody is there: that is noticed at once.
            return self.soon(1, spot, Occasion::Closed(link));
        };
        let theirs = cell.desk.next_link();
        let arrives_ms = self.now_ms + delay_ms.unwrap_or_default();
        let is_broken = delay_ms.is_none();
        let end = End { other: (to, theirs), life, arrives_ms, is_broken };
        self.streams.insert((spot, link), end);
        let back = End { other: (spot, link), life: ours, ..end };
        self.streams.insert((to, theirs), back);
        match is_broken {
            true => self.break_stream(spot, link, NOTICED_MS),
            false => {
                let after_ms = arrives_ms - self.now_ms;
                self.soon(after_ms, to, Occasion::Accepted(from, theirs));
            }
        }
    }

    fn say(&mut self, spot: Spot, link: Link, message: &Message) {
        let Some(end) = self.streams.get(&(spot, link)).copied() else { return };
        let (to, _) = end.other;
        if let Message::Batch { deltas } = message {
            self.check_served(spot, to, deltas);
        }
        for message in self.bent(spot.node, message) {
            self.transmit(spot, link, &message);
        }
    }

    fn transmit(&mut self, spot: Spot, link: Link, message: &Message) {
        let Some(end) = self.streams.get(&(spot, link)).copied() else { return };
        let (to, theirs) = end.other;
        self.tally.hit("frames of sessions");
        let frame = message.encode();
        let delay_ms = self.network.delay(self.now_ms, (spot.node, to.node), frame.len() as u64);
        if end.is_broken || !self.lives(to.node, end.life) {
            return;
        }
        let Some(delay_ms) = delay_ms else {
            return self.break_stream(spot, link, NOTICED_MS);
        };
        let arrives_ms = end.arrives_ms.max(self.now_ms + delay_ms);
        if let Some(end) = self.streams.get_mut(&(spot, link)) {
            end.arrives_ms = arrives_ms;
        }
        self.soon(arrives_ms - self.now_ms, to, Occasion::Heard(theirs, frame));
        // Once it has arrived, if nothing was sent since.
        self.after(arrives_ms - self.now_ms, Event::Sent { spot, link, arrives_ms });
        let is_batch = matches!(message, Message::Batch { .. });
        if is_batch && self.dice.chance(self.network.nature.cut_answers) {
            self.tally.hit("answers cut short");
            self.break_stream(spot, link, 1_000);
        }
    }

    /// A frame of a stream has arrived; it may have been the last of those that were sent.
    pub(crate) fn sent(&mut self, spot: Spot, link: Link, arrives_ms: u64) {
        let end = self.streams.get(&(spot, link));
        if end.is_some_and(|end| end.arrives_ms == arrives_ms) {
            self.attend(spot, Occasion::Sent(link));
        }
    }

    fn check_served(&mut self, spot: Spot, to: Spot, deltas: &[Vec<u8>]) {
        self.tally.hit("answers in part");
        for bytes in deltas {
            let Some(delta) = self.payloads.authentic(&Arc::from(bytes.as_slice())) else {
                // Another one may have vouched for it.
                let id = Unverified::parse(bytes.as_slice()).map(|delta| delta.id());
                let held = id.is_ok_and(|id| {
                    self.image(spot).is_some_and(|image| Deltas::rows(image).contains_key(&id))
                });
                if !held {
                    self.fail(Some(spot.node), Violation::new("S8", "what is served is no delta"));
                }
                self.tally.hit("served with a bad signature");
                continue;
            };
            let checked = oracle::leave::serve(self, spot, &delta);
            self.demand(spot.node, checked);
            if self.phase == Phase::Rest && self.are_seated(&[spot, to]) {
                self.tally.hit("deltas sent at rest");
            }
        }
    }

    /// Nothing arrives any more over a stream; each side notices in its own time.
    fn break_stream(&mut self, spot: Spot, link: Link, within_ms: u64) {
        self.tally.hit("streams broken");
        let Some(end) = self.streams.get_mut(&(spot, link)) else { return };
        end.is_broken = true;
        let (other, theirs) = end.other;
        if let Some(end) = self.streams.get_mut(&(other, theirs)) {
            end.is_broken = true;
        }
        for (spot, link) in [(spot, link), (other, theirs)] {
            let after_ms = self.dice.below(within_ms);
            self.soon(after_ms, spot, Occasion::Closed(link));
        }
    }

    fn close(&mut self, spot: Spot, link: Link) {
        let Some(end) = self.streams.remove(&(spot, link)) else { return };
        let (to, theirs) = end.other;
        if !end.is_broken && self.lives(to.node, end.life) {
            let after_ms = end.arrives_ms.saturating_sub(self.now_ms);
            self.soon(after_ms, to, Occasion::Closed(theirs));
        }
    }

    /// The streams of a process end with it.
    pub(crate) fn end_streams(&mut self, node: usize) {
        let ends: Vec<_> =
            self.streams.keys().filter(|(spot, _)| spot.node == node).copied().collect();
        for (spot, link) in ends {
            let Some(end) = self.streams.remove(&(spot, link)) else { continue };
            let (other, theirs) = end.other;
            if let Some(end) = self.streams.get_mut(&(other, theirs)) {
                end.is_broken = true;
            }
            let after_ms = self.dice.below(NOTICED_MS);
            if self.lives(other.node, end.life) {
                self.soon(after_ms, other, Occasion::Closed(theirs));
            }
        }
    }

    /// Nobody who runs this program is blamed for more than a mistake.
    pub(crate) fn check_ledgers(&mut self) {
        let mut blamed = None;
        // Who has little room lets go of what waits, in the middle of a session too.
        let short =
            self.settings.malice.flood.happens() || self.settings.bounds.parked_bytes < 1024 * 1024;
        // Who deceives others is deceived about them, too.
        let crooked = self.settings.crooked;
        let honest = self.nodes.iter().enumerate().filter(|(at, _)| Some(*at) != crooked);
        for node in honest.filter_map(|(_, node)| node.running()) {
            for (peer, offence, count) in
                node.cells.iter().flat_map(|cell| cell.desk.ledger().entries())
            {
                if crooked.is_some() && self.cast.node(peer) == crooked {
                    self.tally.add("offences of crooked nodes", count);
                    continue;
                }
                self.tally.add("offences written down", count);
                let mistake = match offence {
                    Offence::Silent => true,
                    Offence::Withheld => short,
                    _ => false,
                };
                if !mistake {
                    blamed = Some(format!("{peer:?} is blamed: {}", offence.label()));
                }
            }
        }
        if let Some(blamed) = blamed {
            self.fail(None, Violation::new("Z10", blamed));
        }
    }
}

const fn occasion_label(occasion: &Occasion) -> (&'static str, u64) {
    match occasion {
        Occasion::Met(_) => ("desk: met", 0),
        Occasion::Lost(_) => ("desk: lost", 0),
        // What leads to these is traced.
        Occasion::Wanted(_) | Occasion::Moved | Occasion::Sent(_) => ("", 0),
        Occasion::Accepted(_, link) => ("desk: accepted", link.0),
        Occasion::Heard(link, _) => ("desk: heard", link.0),
        Occasion::Part(link) => ("desk: part", link.0),
        Occasion::Closed(link) => ("desk: closed", link.0),
    }
}

/// The delta in some bytes, if they are one.
pub(crate) fn authentic(bytes: &Arc<[u8]>) -> Option<Delta> {
    Unverified::parse(bytes.clone()).ok()?.verify().ok()
}
