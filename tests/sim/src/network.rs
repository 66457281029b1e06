//! Links between nodes: what becomes of a frame on its way.

use std::collections::BTreeMap;
use std::sync::Arc;

use mangrove_protocol::replica::beat::Heartbeat;

use crate::dice::Dice;
use crate::settings::Links;

/// What goes over a link, for one context.
#[derive(Debug, Clone)]
pub(crate) enum Frame {
    /// One delta, to everybody.
    Gossip(Arc<[u8]>),
    /// Where a node stands, to everybody.
    Beat(Heartbeat),
    /// Deltas that somebody slips to a node, who is up to no good.
    Slip(Vec<Arc<[u8]>>),
}

impl Frame {
    pub(crate) const fn label(&self) -> &'static str {
        match self {
            Self::Gossip(_) => "gossip",
            Self::Beat(_) => "beat",
            Self::Slip(_) => "slip",
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            Self::Gossip(bytes) => bytes.len() as u64,
            Self::Beat(_) => 128,
            Self::Slip(deltas) => deltas.iter().map(|bytes| bytes.len() as u64).sum(),
        }
    }

    /// The deltas in it.
    pub(crate) fn deltas_mut(&mut self) -> &mut [Arc<[u8]>] {
        match self {
            Self::Gossip(bytes) => std::slice::from_mut(bytes),
            Self::Slip(deltas) => deltas,
            Self::Beat(_) => &mut [],
        }
    }
}

/// What a link lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Passage {
    /// Everything.
    #[default]
    Open,
    /// Nothing.
    Cut,
    /// What is sent to everybody, while streams seem alive and are not.
    HalfOpen,
}

/// A link that is busy for longer takes no more.
const MOST_QUEUED_MS: u64 = 2_000;

#[derive(Debug, Default)]
struct Link {
    passage: Passage,
    /// Until when the frames sent so far take its bandwidth.
    busy_until_ms: u64,
}

/// All links, each for one direction.
#[derive(Debug)]
pub(crate) struct Network {
    links: BTreeMap<(usize, usize), Link>,
    pub(crate) nature: Links,
    dice: Dice,
}

/// A frame that arrives.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) at_ms: u64,
    pub(crate) frame: Frame,
    pub(crate) fate: Fate,
}

/// What happened to a frame on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Whole,
    Duplicate,
    Corrupt,
    Misdelivered,
}

impl Network {
    pub(crate) fn new(seed: u64, nature: Links) -> Self {
        Self { links: BTreeMap::new(), nature, dice: Dice::new(seed, &[3]) }
    }

    pub(crate) fn set(&mut self, from: usize, to: usize, passage: Passage) {
        self.links.entry((from, to)).or_default().passage = passage;
    }

    pub(crate) fn passage(&self, from: usize, to: usize) -> Passage {
        self.links.get(&(from, to)).map(|link| link.passage).unwrap_or_default()
    }

    /// Sends a frame. It may arrive once, several times or never.
    pub(crate) fn send(&mut self, now_ms: u64, link: (usize, usize), frame: Frame) -> Vec<Arrival> {
        let nature = self.nature;
        let passage = self.passage(link.0, link.1);
        let waiting_ms = self.links.get(&link).map_or(0, |it| it.busy_until_ms);
        if waiting_ms > now_ms + MOST_QUEUED_MS {
            return Vec::new();
        }
        if passage == Passage::Cut || self.dice.chance(nature.loss) {
            return Vec::new();
        }
        let mut arrivals = vec![self.arrival(now_ms, link, frame.clone(), Fate::Whole)];
        if self.dice.chance(nature.duplicate) {
            arrivals.push(self.arrival(now_ms, link, frame, Fate::Duplicate));
        }
        arrivals
    }

    /// How long a frame of a stream takes; nothing if the stream breaks with it.
    pub(crate) fn delay(&mut self, now_ms: u64, link: (usize, usize), bytes: u64) -> Option<u64> {
        let nature = self.nature;
        // Most of what is lost on the way is sent again without anybody noticing.
        if self.passage(link.0, link.1) != Passage::Open || self.dice.chance(nature.loss / 10) {
            return None;
        }
        let link = self.links.entry(link).or_default();
        let taken_ms = bytes.checked_div(nature.bytes_per_ms).unwrap_or_default();
        link.busy_until_ms = link.busy_until_ms.max(now_ms) + taken_ms;
        let jitter_ms = self.dice.below(nature.jitter_ms + 1);
        Some(link.busy_until_ms - now_ms + nature.latency_ms + jitter_ms)
    }

    fn arrival(&mut self, now_ms: u64, link: (usize, usize), frame: Frame, fate: Fate) -> Arrival {
        let nature = self.nature;
        let link = self.links.entry(link).or_default();
        let start_ms = link.busy_until_ms.max(now_ms);
        let taken_ms = frame.bytes().checked_div(nature.bytes_per_ms).unwrap_or_default();
        link.busy_until_ms = start_ms + taken_ms;
        let at_ms = link.busy_until_ms + nature.latency_ms + self.dice.below(nature.jitter_ms + 1);
        let mut arrival = Arrival { at_ms, frame, fate };
        self.harm(&mut arrival);
        arrival
    }

    fn harm(&mut self, arrival: &mut Arrival) {
        if self.dice.chance(self.nature.misdeliver) {
            arrival.fate = Fate::Misdelivered;
        }
        if !self.dice.chance(self.nature.corrupt) {
            return;
        }
        let deltas = arrival.frame.deltas_mut();
        let at = self.dice.index(deltas.len());
        if let Some(bytes) = deltas.get_mut(at) {
            *bytes = damaged(bytes, &mut self.dice);
            arrival.fate = Fate::Corrupt;
        }
    }
}

/// The same bytes, but for a bit that tipped over or an end that is missing.
fn damaged(bytes: &[u8], dice: &mut Dice) -> Arc<[u8]> {
    let mut damaged = bytes.to_vec();
    let at = dice.index(damaged.len());
    if dice.chance(250) {
        damaged.truncate(at);
    } else if let Some(byte) = damaged.get_mut(at) {
        *byte ^= 1 << dice.below(8);
    }
    damaged.into()
}
