//! How nodes get what they lack: everybody tells everybody at once, which may fail, and asks somebody
//! for the rest from time to time, which must not.
//!
//! It stands where the product has a mesh and sync sessions. An answer is read from what is durable
//! and comes in an order in which it can be applied, in several parts, any of which may be missing.

use std::collections::BTreeSet;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use mangrove_protocol::delta::{Delta, Unverified};
use mangrove_protocol::effect::Input;
use mangrove_protocol::graph::Status;
use mangrove_protocol::id::{DeltaId, LogId, PeerId, Plane, Seq};
use mangrove_protocol::log::{LogRow, Vector};
use mangrove_protocol::view::{Deltas, Entries, Logs, Memory, Places, Table};

use crate::network::{Asked, Fate, Frame};
use crate::node::Spot;
use crate::oracle;
use crate::world::{Event, Phase, World};

/// Where a delta stands in an answer: governance, then data; and of each the settled ones in the order
/// in which they were, then the others.
pub(crate) type Place = (Plane, u64, LogId, Seq, DeltaId);

/// Wants that come up within this time become one question.
const ASK_AFTER_MS: u64 = 100;
/// For how long what a peer may hold is not sent, before for as long it is.
const DOUBT_MS: u64 = 20_000;
/// Questions that bring nothing new come at ever longer intervals, doubled so often at most.
const MOST_DOUBLINGS: u32 = 6;
/// How often a question is put off while the node that asks is busy.
const PUT_OFF: u32 = 10;
/// Deltas in one part of an answer.
const PART_DELTAS: usize = 24;
/// Bytes in one part of an answer, unless its first delta alone is longer.
const PART_BYTES: usize = 128 * 1024;
/// Parts of one answer.
const PARTS: usize = 4;

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
        if self.phase == Phase::Rest
            && self.are_seated(&sides)
            && matches!(frame, Frame::Gossip(_) | Frame::Give { .. })
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
            Frame::Gossip(bytes) => self.deliver(from, to, &[bytes]),
            Frame::Beat(beat) => {
                let from = self.cast.peer(from);
                self.feed(to, Input::Heartbeat { from, beat });
            }
            Frame::Ask(asked) => self.answer(from, to, &asked),
            Frame::Give { question, deltas, next } => {
                self.deliver(from, to, &deltas);
                if let Some(next) = next
                    && self.resumes(to, from, question, next)
                {
                    self.ask_soon(to, Some(from));
                }
            }
            Frame::Agree { governance } => self.agreed(from, to, governance),
        }
    }

    /// A peer holds a governance that may still be the same.
    fn agreed(&mut self, from: usize, to: Spot, governance: [u8; 32]) {
        let cell = self.nodes.get_mut(to.node).and_then(|node| node.cell(to.context));
        if cell.is_some_and(|cell| cell.replica.governance().digest() == governance) {
            self.tally.hit("governance found equal");
            self.feed(to, Input::Agreed { with: self.cast.peer(from) });
        }
    }

    fn deliver(&mut self, from: usize, to: Spot, bytes: &[Arc<[u8]>]) {
        let mut deltas = Vec::new();
        for bytes in bytes {
            match self.payloads.authentic(bytes) {
                Some(delta) => deltas.push(delta),
                None => self.tally.hit("frames refused: corrupt"),
            }
        }
        self.tally.add("deltas delivered", deltas.len() as u64);
        let known = deltas.iter().filter(|delta| {
            let image = self.nodes.get(to.node).and_then(|node| node.store.written(to.context));
            image.is_some_and(|image| Deltas::rows(image).contains_key(&delta.id()))
        });
        self.tally.add("deltas delivered again", known.count() as u64);
        if !deltas.is_empty() {
            self.feed(to, Input::Deltas { from: self.cast.peer(from), deltas });
        }
    }

    /// Every so often a node asks somebody, whatever it believes.
    pub(crate) fn round(&mut self, spot: Spot) {
        let (low, high) = self.settings.round_ms;
        let after_ms = self.dice.between(low, high);
        if let Some(life) = self.nodes.get(spot.node).map(|node| node.life) {
            self.after(after_ms, Event::Round { spot, life });
        }
        let peer = self.somebody_else(spot.node);
        let cell = self.nodes.get_mut(spot.node).and_then(|node| node.cell(spot.context));
        if let Some(cell) = cell {
            cell.resume.remove(&peer);
        }
        self.ask(spot, peer);
    }

    fn somebody_else(&mut self, node: usize) -> usize {
        let drawn = self.dice.index(self.settings.nodes.saturating_sub(1));
        if drawn >= node { drawn + 1 } else { drawn }
    }

    /// A node wants something from a peer, or from anybody.
    pub(crate) fn ask_soon(&mut self, spot: Spot, peer: Option<usize>) {
        let running = peer.filter(|peer| self.nodes.get(*peer).is_some_and(|node| node.is_up()));
        let peer = match running {
            Some(peer) => peer,
            None => self.somebody_else(spot.node),
        };
        let Some(node) = self.nodes.get_mut(spot.node) else { return };
        let life = node.life;
        let Some(cell) = node.cell(spot.context) else { return };
        let most_ms = ASK_AFTER_MS << cell.fruitless.1.min(MOST_DOUBLINGS);
        let after_ms = self.dice.between(1, most_ms);
        if let Entry::Vacant(fresh) = cell.asking.entry(peer) {
            fresh.insert(0);
            self.after(after_ms, Event::Ask { spot, life, peer });
        }
    }

    /// A node asks a peer, unless it still has its hands full with what came before.
    pub(crate) fn ask_now(&mut self, spot: Spot, peer: usize) {
        let after_ms = self.dice.between(1, ASK_AFTER_MS);
        let Some(node) = self.nodes.get_mut(spot.node) else { return };
        let life = node.life;
        let Some(cell) = node.cell(spot.context) else { return };
        let busy = !cell.replica.is_idle();
        let put_off = cell.asking.entry(peer).or_default();
        if busy && *put_off < PUT_OFF {
            *put_off += 1;
            self.after(after_ms, Event::Ask { spot, life, peer });
            return;
        }
        cell.asking.remove(&peer);
        self.ask(spot, peer);
    }

    /// A node tells a peer what it holds.
    fn ask(&mut self, spot: Spot, peer: usize) {
        let Some(node) = self.nodes.get_mut(spot.node) else { return };
        let stored = node.store.written(spot.context).map_or(0, |it| Places::rows(it).len());
        let Some(cell) = node.cell(spot.context) else { return };
        cell.fruitless = match cell.fruitless {
            (before, count) if before == stored => (stored, count + 1),
            _ => (stored, 0),
        };
        cell.asked += 1;
        let (question, after) = (cell.asked, cell.resume.remove(&peer));
        cell.questions.insert(peer, question);
        let vector = cell.replica.stored();
        let governance = cell.replica.governance().digest();
        self.tally.hit("questions");
        let asked = Asked { question, vector, governance, after };
        self.send(spot.node, Spot { node: peer, ..spot }, Frame::Ask(asked));
    }

    /// Whether this was the last question to a peer, so that the answer is to go on from there.
    fn resumes(&mut self, spot: Spot, peer: usize, question: u64, next: Place) -> bool {
        let cell = self.nodes.get_mut(spot.node).and_then(|node| node.cell(spot.context));
        let Some(cell) = cell else { return false };
        let last = cell.questions.get(&peer) == Some(&question);
        if last {
            cell.resume.insert(peer, next);
        }
        last
    }

    fn answer(&mut self, from: usize, spot: Spot, asked: &Asked) {
        let Asked { question, vector: theirs, after, .. } = asked;
        let Some((ours, governance)) = self.counted(spot) else { return };
        if governance == asked.governance {
            self.agreed(from, spot, governance);
            self.send(spot.node, Spot { node: from, ..spot }, Frame::Agree { governance });
        }
        let Some(image) = self.image(spot) else { return };
        if ours == *theirs {
            return;
        }
        let is_known = self.knows(spot, self.cast.peer(from));
        // Long enough for all parts of an answer.
        let send_all = self.network.nature.loss == 0 && self.now_ms / DOUBT_MS % 2 == 1;
        let lacking = lacking(image, &ours, theirs, Doubt { send_all });
        let due = |(place, _): &(Place, Delta)| {
            after.is_none_or(|it| *place > it) && (is_known || place.0 == Plane::Governance)
        };
        let lacking = lacking.into_iter().filter(due);
        let lacking = lacking.collect::<Vec<_>>();
        let unknown = theirs.0.values().flatten();
        let wants = unknown.into_iter().any(|(_, id)| !Places::rows(image).contains_key(id));
        let room = usize::try_from(self.settings.bounds.arrived_bytes).unwrap_or(usize::MAX);
        let parts = parts(&lacking, room / 2);
        self.give(spot, from, *question, parts);
        if wants {
            self.ask_soon(spot, Some(from));
        }
    }

    /// What a node holds, as far as it counts, and the digest of the governance in it.
    fn counted(&self, spot: Spot) -> Option<(Vector, [u8; 32])> {
        let replica = &self.nodes.get(spot.node)?.running()?.cells.get(spot.context)?.replica;
        Some((replica.stored(), replica.governance().digest()))
    }

    /// Whether a node knows another as a member or a replica, to whom it shows data.
    fn knows(&self, spot: Spot, peer: PeerId) -> bool {
        let process = self.nodes.get(spot.node).and_then(|node| node.running());
        let Some(cell) = process.and_then(|it| it.cells.get(spot.context)) else { return false };
        let roster = cell.replica.roster();
        roster.role(peer).is_some() || roster.replicas().contains(&peer)
    }

    fn give(&mut self, spot: Spot, to: usize, question: u64, parts: Vec<Part>) {
        for Part { deltas, next } in parts {
            let cut = self.dice.chance(self.network.nature.cut_answers);
            for delta in &deltas {
                let checked = oracle::leave::serve(self, spot, delta);
                self.demand(spot.node, checked);
            }
            let deltas = deltas.iter().map(|delta| delta.bytes().clone()).collect();
            self.tally.hit("answers in part");
            let frame = Frame::Give { question, deltas, next };
            self.send(spot.node, Spot { node: to, ..spot }, frame);
            if cut {
                self.tally.hit("answers cut short");
                return;
            }
        }
    }
}

struct Part {
    deltas: Vec<Delta>,
    next: Option<Place>,
}

/// An answer in parts. Only the last of them says where to go on, if these are not all.
/// All of them together are no more than the other has room for.
fn parts(lacking: &[(Place, Delta)], room: usize) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = lacking;
    let count = (room / PART_BYTES).clamp(1, PARTS);
    while !rest.is_empty() && parts.len() < count {
        let mut bytes = 0;
        let fits = rest.iter().take(PART_DELTAS).take_while(|(_, delta)| {
            let first = bytes == 0;
            bytes += delta.bytes().len();
            first || bytes <= PART_BYTES.min(room)
        });
        let (part, after) = rest.split_at(fits.count());
        rest = after;
        let last = parts.len() + 1 == count && !rest.is_empty();
        let next = part.last().filter(|_| last).map(|(place, _)| *place);
        let deltas = part.iter().map(|(_, delta)| delta.clone()).collect();
        parts.push(Part { deltas, next });
    }
    parts
}

/// What to do about a log of which the other holds more than is known here.
#[derive(Clone, Copy)]
struct Doubt {
    /// It may hold another branch, and lack what is held here: send it all.
    send_all: bool,
}

/// What a peer who holds this lacks, in an order in which it can be applied.
fn lacking(image: &Memory, ours: &Vector, theirs: &Vector, doubt: Doubt) -> Vec<(Place, Delta)> {
    let mut lacking = Vec::new();
    for (log, row) in Logs::rows(image) {
        let tips = theirs.0.get(log).map(Vec::as_slice).unwrap_or_default();
        let held = Held::of(image, row, tips);
        let counted = ours.0.get(log).map(Vec::as_slice).unwrap_or_default();
        // What is about to be written is not here yet, nor is anything of it cut off.
        let durable = counted.iter().all(|(_, tip)| Places::rows(image).contains_key(tip));
        let clipped = durable && counted != row.stored.as_slice();
        let within = clipped.then(|| past(image, counted));
        let from = (*log, held.least, DeltaId::ZERO);
        let entries = Entries::rows(image).range(from..).map(|(entry, ())| *entry);
        for (_, seq, id) in entries.take_while(|(of, ..)| of == log) {
            let perhaps = held.unknown.is_some_and(|most| most > seq) && !doubt.send_all;
            let counts = within.as_ref().is_none_or(|within| within.contains(&id));
            if counts && !perhaps && !held.known.contains(&id) {
                lacking.extend(standing(image, (*log, seq, id)));
            }
        }
    }
    lacking.sort_by_key(|(place, _)| *place);
    lacking
}

/// What a peer holds of a log.
struct Held {
    /// Everything before this place.
    least: Seq,
    /// These, if it is not just a chain.
    known: BTreeSet<DeltaId>,
    /// The last of those that are not known here.
    unknown: Option<Seq>,
}

impl Held {
    fn of(image: &Memory, row: &LogRow, tips: &[(Seq, DeltaId)]) -> Self {
        let places = Places::rows(image);
        let unknown = tips.iter().filter(|(_, id)| !places.contains_key(id));
        let unknown = unknown.map(|(seq, _)| *seq).max();
        if let ([(seq, _)], None, false) = (tips, unknown, row.stored.is_forked()) {
            return Self { least: seq.next(), known: BTreeSet::new(), unknown };
        }
        Self { least: Seq::FIRST, known: past(image, tips), unknown }
    }
}

/// These deltas, as far as they are held, and all before them in their log.
fn past(image: &Memory, tips: &[(Seq, DeltaId)]) -> BTreeSet<DeltaId> {
    let places = Places::rows(image);
    let mut past = BTreeSet::new();
    for (_, tip) in tips {
        let mut at = *tip;
        while let Some(place) = places.get(&at)
            && past.insert(at)
        {
            at = place.prev;
        }
    }
    past
}

/// The logs of governance among these.
fn standing(image: &Memory, (log, seq, id): (LogId, Seq, DeltaId)) -> Option<(Place, Delta)> {
    let order = match Places::rows(image).get(&id)?.status {
        Status::Applied { order } | Status::Void { order, .. } => order,
        Status::Parked { .. } => u64::MAX,
    };
    let delta = Deltas::rows(image).get(&id)?.clone();
    Some(((log.plane, order, log, seq, id), delta))
}

/// The delta in some bytes, if they are one.
pub(crate) fn authentic(bytes: &Arc<[u8]>) -> Option<Delta> {
    Unverified::parse(bytes.clone()).ok()?.verify().ok()
}
