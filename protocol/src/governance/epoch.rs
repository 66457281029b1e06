//! Epochs: how deep each is, and who can open it.

use std::collections::{BTreeMap, BTreeSet};

use super::act::{Act, Rotation};
use super::roster::Deed;
use crate::id::{EpochId, PeerId};

/// What is known of an epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epoch {
    /// 1 more than that of the deepest epoch whose key it carries. An epoch that carries this one in
    /// turn, which only a liar can write, adds nothing.
    pub depth: u32,
    /// Who was given its key, or gave it, by acts that count.
    pub recipients: BTreeSet<PeerId>,
    /// Whether all who can open it are members: its recipients, those of every epoch that carries
    /// it, and those who were given the key of either by acts that a cut-off or a fall has overtaken.
    /// Only then may one write under it.
    pub is_confined: bool,
}

/// The epochs of a set of acts that count.
#[derive(Debug, Default)]
pub(super) struct Epochs {
    known: BTreeMap<EpochId, Epoch>,
    /// The epochs whose keys each one carries.
    older: Edges,
    /// The epochs that carry the key of each one.
    newer: Edges,
}

type Edges = BTreeMap<EpochId, BTreeSet<EpochId>>;

/// Who holds the key of each epoch. Gathered first and sorted once: keys go to a thousand at a time.
type Holders = BTreeMap<EpochId, Vec<PeerId>>;

impl Epochs {
    /// Gathers them from acts that count. What others gave away stays given, too.
    pub(super) fn of(
        counting: &[&Deed],
        overtaken: &[&Deed],
        members: &BTreeSet<PeerId>,
    ) -> BTreeMap<EpochId, Epoch> {
        let (mut epochs, mut holders) = (Self::default(), Holders::new());
        for deed in counting {
            if let Act::Rotate(rotation) | Act::Revoke { rotation, .. } = &deed.act {
                epochs.begin(rotation, deed.log.author, &mut holders);
            }
        }
        counting.iter().for_each(|deed| hand_out(deed, &mut holders));
        for (id, holders) in holders {
            let recipients: BTreeSet<_> = holders.into_iter().collect();
            let is_confined = recipients.is_subset(members);
            epochs.known.insert(id, Epoch { depth: 1, recipients, is_confined });
        }
        epochs.link();
        overtaken.iter().for_each(|deed| epochs.leak(deed, members));
        let circles = epochs.circles();
        // The oldest come first: what is carried is settled before what carries it.
        circles.iter().for_each(|circle| epochs.deepen(circle));
        circles.iter().rev().for_each(|circle| epochs.confine(circle));
        epochs.known
    }

    fn begin(&mut self, rotation: &Rotation, author: PeerId, holders: &mut Holders) {
        let holders = holders.entry(rotation.epoch).or_default();
        holders.push(author);
        holders.extend(rotation.seals.iter().map(|seal| seal.member));
        let older = rotation.older.iter().map(|(older, _)| *older);
        self.older.entry(rotation.epoch).or_default().extend(older);
    }

    /// Marks the epochs whose keys an act gave to others than members.
    fn leak(&mut self, deed: &Deed, members: &BTreeSet<PeerId>) {
        let given: Vec<EpochId> = match &deed.act {
            Act::Seal { epoch, key } if !members.contains(&key.member) => vec![*epoch],
            Act::Grant { member, seals, .. } if !members.contains(member) => {
                seals.iter().map(|seal| seal.epoch).collect()
            }
            Act::Rotate(rotation) | Act::Revoke { rotation, .. } => {
                let mut all = rotation.seals.iter().map(|seal| seal.member);
                let leaks = all.any(|member| !members.contains(&member));
                let older = rotation.older.iter().map(|(older, _)| *older);
                older.chain([rotation.epoch]).filter(|_| leaks).collect()
            }
            _ => Vec::new(),
        };
        for id in given {
            if let Some(epoch) = self.known.get_mut(&id) {
                epoch.is_confined = false;
            }
        }
    }

    fn link(&mut self) {
        let known = &self.known;
        for (newer, older) in &mut self.older {
            older.retain(|older| older != newer && known.contains_key(older));
            for older in older.iter() {
                self.newer.entry(*older).or_default().insert(*newer);
            }
        }
    }

    /// The epochs in groups that carry one another, the oldest group first. Among honest authors
    /// every group is a single epoch.
    fn circles(&self) -> Vec<BTreeSet<EpochId>> {
        let (mut left, mut finished) = (BTreeSet::new(), Vec::new());
        for start in self.known.keys() {
            walk(*start, &self.newer, &mut left, &mut finished);
        }
        let (mut seen, mut circles) = (BTreeSet::new(), Vec::new());
        for start in finished.into_iter().rev() {
            let mut circle = Vec::new();
            walk(start, &self.older, &mut seen, &mut circle);
            if !circle.is_empty() {
                circles.push(circle.into_iter().collect());
            }
        }
        circles
    }

    fn deepen(&mut self, circle: &BTreeSet<EpochId>) {
        let carried = circle.iter().filter_map(|id| self.older.get(id)).flatten();
        let outside = carried.filter(|older| !circle.contains(older));
        let depths = outside.filter_map(|older| self.known.get(older)).map(|epoch| epoch.depth);
        let depth = depths.max().unwrap_or_default().saturating_add(1);
        for id in circle {
            if let Some(epoch) = self.known.get_mut(id) {
                epoch.depth = depth;
            }
        }
    }

    fn confine(&mut self, circle: &BTreeSet<EpochId>) {
        let carriers = circle.iter().filter_map(|id| self.newer.get(id)).flatten();
        let mut all = carriers.chain(circle).filter_map(|id| self.known.get(id));
        let is_confined = all.all(|epoch| epoch.is_confined);
        for id in circle {
            if let Some(epoch) = self.known.get_mut(id) {
                epoch.is_confined = is_confined;
            }
        }
    }
}

/// Who seals a key holds it. Keys of what never began are no epochs.
fn hand_out(deed: &Deed, holders: &mut Holders) {
    let mut hand = |epoch: &EpochId, member: PeerId| {
        if let Some(holders) = holders.get_mut(epoch) {
            holders.extend([member, deed.log.author]);
        }
    };
    match &deed.act {
        Act::Seal { epoch, key } => hand(epoch, key.member),
        Act::Grant { member, seals, .. } => {
            seals.iter().for_each(|seal| hand(&seal.epoch, *member));
        }
        _ => {}
    }
}

/// Walks from one epoch along all edges to those not seen before, and lists each after all that it
/// leads to.
fn walk(start: EpochId, edges: &Edges, seen: &mut BTreeSet<EpochId>, listed: &mut Vec<EpochId>) {
    let next = |id: EpochId| edges.get(&id).into_iter().flatten().copied();
    let mut path = Vec::new();
    if seen.insert(start) {
        path.push((start, next(start)));
    }
    while let Some((id, ways)) = path.last_mut() {
        match ways.find(|way| seen.insert(*way)) {
            Some(way) => path.push((way, next(way))),
            None => {
                listed.push(*id);
                path.pop();
            }
        }
    }
}
