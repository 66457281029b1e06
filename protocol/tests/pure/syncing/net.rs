//! Nodes with a desk each and streams between them, in a time that is the desks' alone. What an honest desk says
//! can be delayed, cut off, or made into what a faulty or hostile one would say.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use mangrove_protocol::delta::Unverified;
use mangrove_protocol::effect::{Effect, Input};
use mangrove_protocol::id::{PeerId, Plane, Seq};
use mangrove_protocol::planted::Planted;
use mangrove_protocol::sync::desk::{Action, Config, Desk, Event, PART_BYTES, Room};
use mangrove_protocol::sync::{Link, Message};

use crate::crank::{Crank, Dice};

/// How what one node says gets to another.
#[derive(Debug, Clone)]
pub(crate) struct Nature {
    pub(crate) latency_ms: u64,
    /// Bytes in a millisecond; any number if 0.
    pub(crate) bandwidth: u64,
    /// Before the first batch of a stream.
    pub(crate) first_block_ms: u64,
    /// Before every batch.
    pub(crate) idle_gap_ms: u64,
    /// Streams that end at a message, in a thousand.
    pub(crate) drops: usize,
    /// Places whose deltas are left out.
    pub(crate) withheld: Option<RangeInclusive<u64>>,
    /// Whether the deltas of a batch are turned round.
    pub(crate) reorder: bool,
    /// From then on nothing that is said arrives.
    pub(crate) silent_from_ms: u64,
    /// From then on nothing that comes the other way is read.
    pub(crate) wedged_from_ms: u64,
    /// From then on so many bytes in a millisecond.
    pub(crate) slow_from_ms: (u64, u64),
    /// How much further logs are said to go than they do.
    pub(crate) lying_have: u64,
    /// Whether the same ends are told again and again.
    pub(crate) endless_have: bool,
    /// Whether every batch is sent twice.
    pub(crate) unrequested: bool,
    /// Places whose signatures are bad.
    pub(crate) garbled: Option<RangeInclusive<u64>>,
}

impl Default for Nature {
    fn default() -> Self {
        Self {
            latency_ms: 50,
            bandwidth: 0,
            first_block_ms: 0,
            idle_gap_ms: 0,
            drops: 0,
            withheld: None,
            reorder: false,
            silent_from_ms: u64::MAX,
            wedged_from_ms: u64::MAX,
            slow_from_ms: (u64::MAX, 0),
            lying_have: 0,
            endless_have: false,
            unrequested: false,
            garbled: None,
        }
    }
}

/// What went one way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Traffic {
    pub(crate) bytes: usize,
    /// Bytes and number of deltas.
    pub(crate) delta_bytes: usize,
    pub(crate) deltas: usize,
    /// The messages by what they are.
    pub(crate) said: Vec<String>,
}

#[derive(Debug)]
enum Arrival {
    Accepted { from: usize, link: Link },
    Heard { link: Link, frame: Vec<u8> },
    Part { link: Link },
    Sent { link: Link },
    Closed { link: Link },
    Wake,
}

#[derive(Debug)]
struct Stream {
    other: (usize, Link),
    /// When the last that was said on this side arrives on the other.
    arrived_ms: u64,
    /// When it has left this side.
    left_ms: u64,
    has_batch: bool,
}

pub(crate) struct Node {
    pub(crate) crank: Crank,
    pub(crate) desk: Desk,
    /// The most that was on its way or waited for its turn.
    pub(crate) peak: u64,
    wake_ms: u64,
}

pub(crate) struct Net {
    pub(crate) nodes: Vec<Node>,
    pub(crate) now_ms: u64,
    queue: BTreeMap<(u64, u64), (usize, Arrival)>,
    count: u64,
    streams: BTreeMap<(usize, Link), Stream>,
    natures: BTreeMap<(usize, usize), Nature>,
    pub(crate) traffic: BTreeMap<(usize, usize), Traffic>,
    /// When the last message arrived.
    pub(crate) last_ms: u64,
    /// Connections that were ended, by whom and to whom.
    pub(crate) ended: Vec<(usize, usize)>,
    /// After so many messages every stream is cut.
    pub(crate) cut_after: usize,
    heard: usize,
    dice: Dice,
}

/// Rounds in which nodes ask whatever they believe, out of the way of most tests.
pub(crate) fn quiet() -> Room {
    Room { round_ms: (3_600_000, 3_600_001), ..Room::default() }
}

impl Net {
    pub(crate) fn new(cranks: Vec<Crank>, room: Room, planted: &Planted) -> Self {
        let node = |crank: Crank| {
            let (context, us) = (crank.replica.context(), crank.replica.peer());
            let desk = Desk::new(Config { context, us, room, planted: planted.clone() });
            Node { crank, desk, peak: 0, wake_ms: u64::MAX }
        };
        Self {
            nodes: cranks.into_iter().map(node).collect(),
            now_ms: 0,
            queue: BTreeMap::new(),
            count: 0,
            streams: BTreeMap::new(),
            natures: BTreeMap::new(),
            traffic: BTreeMap::new(),
            last_ms: 0,
            ended: Vec::new(),
            cut_after: usize::MAX,
            heard: 0,
            dice: Dice::new(1),
        }
    }

    pub(crate) fn peer(&self, node: usize) -> PeerId {
        self.nodes[node].crank.replica.peer()
    }

    fn node_of(&self, peer: PeerId) -> usize {
        self.nodes.iter().position(|node| node.crank.replica.peer() == peer).unwrap()
    }

    pub(crate) fn nature(&mut self, from: usize, to: usize) -> &mut Nature {
        self.natures.entry((from, to)).or_default()
    }

    pub(crate) fn traffic(&self, from: usize, to: usize) -> Traffic {
        self.traffic.get(&(from, to)).cloned().unwrap_or_default()
    }

    /// One meets another, and begins a session.
    pub(crate) fn meet(&mut self, node: usize, other: usize) {
        let peer = self.peer(other);
        self.happen(node, Event::Met(peer));
    }

    /// Lets everything happen until nobody says anything any more, or for so long.
    pub(crate) fn run(&mut self, for_ms: u64) {
        let until_ms = self.now_ms + for_ms;
        while let Some(((at_ms, _), _)) = self.queue.first_key_value() {
            if *at_ms > until_ms {
                break;
            }
            let ((at_ms, _), (node, arrival)) = self.queue.pop_first().unwrap();
            self.now_ms = at_ms;
            self.arrive(node, arrival);
        }
        self.now_ms = until_ms;
    }

    /// Everything that follows from one meeting.
    pub(crate) fn sync(&mut self, node: usize, other: usize) {
        self.meet(node, other);
        self.run(600_000);
    }

    fn arrive(&mut self, node: usize, arrival: Arrival) {
        match arrival {
            Arrival::Accepted { from, link } => {
                let peer = self.peer(from);
                self.happen(node, Event::Accepted(peer, link));
            }
            Arrival::Heard { link, frame } => {
                self.heard += 1;
                if self.heard > self.cut_after {
                    return self.cut(node, link);
                }
                let Some((other, _)) = self.streams.get(&(node, link)).map(|it| it.other) else {
                    return;
                };
                let wedged = self.nature(node, other).wedged_from_ms;
                if self.now_ms < wedged {
                    self.last_ms = self.now_ms;
                    self.happen(node, Event::Heard(link, frame));
                }
            }
            Arrival::Part { link } => self.happen(node, Event::Part(link)),
            Arrival::Sent { link } => {
                let stream = self.streams.get(&(node, link));
                if stream.is_some_and(|stream| stream.left_ms <= self.now_ms) {
                    self.happen(node, Event::Sent(link));
                }
            }
            Arrival::Closed { link } => {
                self.streams.remove(&(node, link));
                self.happen(node, Event::Closed(link));
            }
            Arrival::Wake => {
                if self.nodes[node].wake_ms <= self.now_ms {
                    self.nodes[node].wake_ms = u64::MAX;
                    self.happen(node, Event::Moved);
                }
            }
        }
    }

    /// Ends a stream on both sides at once.
    pub(crate) fn cut(&mut self, node: usize, link: Link) {
        let Some(stream) = self.streams.remove(&(node, link)) else { return };
        let (other, their) = stream.other;
        self.streams.remove(&(other, their));
        for (node, link) in [(node, link), (other, their)] {
            self.later(0, node, Arrival::Closed { link });
        }
    }

    fn later(&mut self, after_ms: u64, node: usize, arrival: Arrival) {
        self.count += 1;
        self.queue.insert((self.now_ms + after_ms, self.count), (node, arrival));
    }

    pub(crate) fn happen(&mut self, at: usize, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            let (now_ms, dice) = (self.now_ms, &mut self.dice);
            let node = &mut self.nodes[at];
            let mut entropy = |bytes: &mut [u8]| dice.fill(bytes);
            let state = (&node.crank.replica, &node.crank.memory);
            let actions = node.desk.handle(event, now_ms, &mut entropy, state);
            node.peak = node.peak.max(node.desk.reserved());
            for action in actions {
                events.extend(self.act(at, action));
            }
        }
        let node = &mut self.nodes[at];
        let wake_ms = node.desk.wake_at_ms(self.now_ms);
        if wake_ms < node.wake_ms {
            node.wake_ms = wake_ms;
            self.later(wake_ms - self.now_ms, at, Arrival::Wake);
        }
    }

    fn act(&mut self, at: usize, action: Action) -> Vec<Event> {
        match action {
            Action::Open(peer, link) => {
                let other = self.node_of(peer);
                let their = self.nodes[other].desk.next_link();
                let arrived_ms = self.now_ms + self.nature(at, other).latency_ms;
                for (from, to) in [((at, link), (other, their)), ((other, their), (at, link))] {
                    let stream =
                        Stream { other: to, arrived_ms, left_ms: self.now_ms, has_batch: false };
                    self.streams.insert(from, stream);
                }
                let accepted = Arrival::Accepted { from: at, link: their };
                self.later(arrived_ms - self.now_ms, other, accepted);
            }
            Action::Send(link, message) => {
                let Some(stream) = self.streams.get(&(at, link)) else { return Vec::new() };
                let other = stream.other.0;
                for message in self.tampered(at, other, message) {
                    self.send(at, link, &message);
                }
            }
            Action::Close(link) => {
                if let Some(stream) = self.streams.remove(&(at, link)) {
                    let after_ms = stream.arrived_ms.saturating_sub(self.now_ms);
                    let (node, link) = stream.other;
                    self.later(after_ms, node, Arrival::Closed { link });
                }
            }
            Action::Deliver(from, deltas) => {
                let out = self.nodes[at].crank.feed(Input::Deltas { from, deltas });
                let wanted = out.into_iter().filter_map(|effect| match effect {
                    Effect::Fetch { from, .. } => Some(Event::Wanted(from)),
                    Effect::Sync { with } => Some(Event::Wanted(Some(with))),
                    _ => None,
                });
                return wanted.chain([Event::Moved]).collect();
            }
            Action::Agreed(with) => {
                self.nodes[at].crank.feed(Input::Agreed { with });
                return vec![Event::Moved];
            }
            Action::Ended(..) => {}
            Action::Later(_) => {}
            Action::Disconnect(peer) => {
                let other = self.node_of(peer);
                self.ended.push((at, other));
                return vec![Event::Lost(peer)];
            }
        }
        Vec::new()
    }

    fn send(&mut self, at: usize, link: Link, message: &Message) {
        let Some(stream) = self.streams.get_mut(&(at, link)) else { return };
        let other = stream.other;
        let nature = self.natures.entry((at, other.0)).or_default().clone();
        let frame = message.encode();
        let traffic = self.traffic.entry((at, other.0)).or_default();
        traffic.bytes += frame.len() + 4;
        traffic.said.push(format!("{message:?}").split([' ', '(']).next().unwrap().to_owned());
        let mut after_ms = nature.latency_ms;
        if let Message::Batch { deltas } = message {
            traffic.deltas += deltas.len();
            traffic.delta_bytes += deltas.iter().map(Vec::len).sum::<usize>();
            let first_ms = if stream.has_batch { 0 } else { nature.first_block_ms };
            after_ms += nature.idle_gap_ms + first_ms;
            stream.has_batch = true;
        }
        let (slow_ms, slow) = nature.slow_from_ms;
        let bandwidth = if self.now_ms >= slow_ms { slow } else { nature.bandwidth };
        let begin_ms = stream.arrived_ms.max(self.now_ms + nature.latency_ms);
        after_ms += (frame.len() as u64).checked_div(bandwidth).unwrap_or_default();
        let parts = if bandwidth > 0 { frame.len() / PART_BYTES } else { 0 };
        stream.arrived_ms = stream.arrived_ms.max(self.now_ms) + after_ms - nature.latency_ms;
        stream.arrived_ms = stream.arrived_ms.max(self.now_ms + nature.latency_ms);
        let after_ms = stream.arrived_ms - self.now_ms;
        stream.left_ms = stream.arrived_ms - nature.latency_ms;
        let left_ms = stream.left_ms - self.now_ms;
        if self.now_ms >= nature.silent_from_ms {
            return;
        }
        if self.dice.below(1_000) < nature.drops {
            return self.cut(at, link);
        }
        self.later(left_ms, at, Arrival::Sent { link });
        for part in 1..parts {
            let after_ms = begin_ms + (part * PART_BYTES) as u64 / bandwidth - self.now_ms;
            self.later(after_ms, other.0, Arrival::Part { link: other.1 });
        }
        self.later(after_ms, other.0, Arrival::Heard { link: other.1, frame });
    }

    /// What a node says if it is not quite honest.
    fn tampered(&mut self, from: usize, to: usize, message: Message) -> Vec<Message> {
        let nature = self.nature(from, to).clone();
        match message {
            Message::Batch { mut deltas } => {
                if let Some(places) = &nature.withheld {
                    deltas.retain(|bytes| !places.contains(&place(bytes)));
                }
                if let Some(places) = &nature.garbled {
                    for bytes in deltas.iter_mut().filter(|it| places.contains(&place(it))) {
                        *bytes.last_mut().unwrap() ^= 1;
                    }
                }
                if nature.reorder {
                    deltas.reverse();
                }
                let batch = (!deltas.is_empty()).then_some(Message::Batch { deltas });
                let again = batch.clone().filter(|_| nature.unrequested);
                batch.into_iter().chain(again).collect()
            }
            Message::Ends { plane, mut ends } => {
                let lies = |ends: &mut Vec<mangrove_protocol::sync::End>| {
                    for tip in ends.iter_mut().filter_map(|end| end.tips.last_mut()) {
                        tip.seq = Seq::new(tip.seq.get() + nature.lying_have).unwrap();
                        tip.head[0] ^= u8::from(nature.lying_have > 0);
                    }
                };
                if plane == Plane::Data {
                    lies(&mut ends);
                }
                let count = if nature.endless_have { 50 } else { 1 };
                vec![Message::Ends { plane, ends }; count]
            }
            message => vec![message],
        }
    }
}

fn place(bytes: &[u8]) -> u64 {
    let delta = Unverified::parse(bytes).unwrap();
    if delta.log().plane == Plane::Data { delta.seq().get() } else { 0 }
}
