//! Who may do what, and where logs end by it: by definition, from all that is stored of governance at
//! once, without what a node keeps up as deltas come.

use std::collections::{BTreeMap, BTreeSet};

use mangrove_protocol::governance::{Roster, Standing};
use mangrove_protocol::graph::{Place, Status};
use mangrove_protocol::id::{ContextId, DeltaId, LogId, Plane, Seq, Tip};
use mangrove_protocol::log::Vector;
use mangrove_protocol::view::{Deltas, Logs, Memory, Places, Table};

use crate::founding;

/// What governance makes of the logs of one context.
#[derive(Debug)]
pub(crate) struct Law<'a> {
    pub(crate) roster: Roster,
    places: &'a BTreeMap<DeltaId, Place>,
    ends: BTreeMap<LogId, Ends>,
}

/// Whether a delta counts, as far as cut-offs have a say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Nothing excludes it.
    Within,
    /// It counts for nothing, and is kept to tell where its log ends.
    Kept,
    /// It counts for nothing.
    Beyond,
    /// Its authority is not known.
    Unknown,
}

/// Where a log ends.
#[derive(Debug, Clone)]
enum Ends {
    Unknown,
    /// What is within all of these counts.
    At(Vec<Fence>),
}

/// One set of heads.
#[derive(Debug, Clone)]
struct Fence {
    highest: Option<Seq>,
    /// Whether a head is not held.
    missing: bool,
    /// The heads and what is before them.
    kept: BTreeSet<DeltaId>,
}

impl<'a> Law<'a> {
    /// What is stored says this.
    pub(crate) fn of(context: ContextId, memory: &'a Memory) -> Self {
        let (places, deltas) = (Places::rows(memory), Deltas::rows(memory));
        let governs = |(id, place): (&DeltaId, &Place)| {
            let settled = matches!(place.status, Status::Applied { .. });
            let counted = settled && place.log.plane == Plane::Governance;
            counted.then(|| deltas.get(id).and_then(founding::deed)).flatten()
        };
        let roster = Roster::of(context, places.iter().filter_map(governs));
        let mut law = Self { roster, places, ends: BTreeMap::new() };
        let ends = Logs::rows(memory).keys().map(|log| (*log, law.ends_of(log)));
        law.ends = ends.collect();
        law
    }

    fn ends_of(&self, log: &LogId) -> Ends {
        match self.roster.kept(log) {
            Standing::Unknown => Ends::Unknown,
            Standing::Nothing => Ends::At(vec![self.fence(log, &[])]),
            Standing::Within(sets) => {
                Ends::At(sets.iter().map(|heads| self.fence(log, heads)).collect())
            }
        }
    }

    fn fence(&self, log: &LogId, heads: &[(Seq, DeltaId)]) -> Fence {
        let held = |(seq, id): &&(Seq, DeltaId)| {
            self.places.get(id).is_some_and(|place| place.log == *log && place.seq == *seq)
        };
        let missing = !heads.iter().all(|head| held(&head));
        let mut kept = BTreeSet::new();
        for (_, head) in heads.iter().filter(held) {
            let mut at = *head;
            while let Some(place) = self.places.get(&at)
                && kept.insert(at)
            {
                at = place.prev;
            }
        }
        Fence { highest: heads.iter().map(|(seq, _)| *seq).max(), missing, kept }
    }

    /// Whether a delta counts.
    pub(crate) fn reach(&self, tip: &Tip) -> Reach {
        let fresh;
        let ends = match self.ends.get(&tip.log) {
            Some(ends) => ends,
            None => {
                fresh = self.ends_of(&tip.log);
                &fresh
            }
        };
        let Ends::At(fences) = ends else { return Reach::Unknown };
        let place = self.places.get(&tip.id);
        let held = place.is_some_and(|it| it.log == tip.log && it.seq == tip.seq);
        let log_held = self.ends.contains_key(&tip.log);
        let within = |fence: &Fence| {
            let low = Some(tip.seq) <= fence.highest;
            // Of a log of which nothing is held, numbers alone decide.
            low && (fence.missing || !log_held || (held && fence.kept.contains(&tip.id)))
        };
        let governs = tip.log.plane == Plane::Governance;
        match (fences.iter().all(within), fences.iter().any(within)) {
            (true, _) => Reach::Within,
            (false, true) if governs => Reach::Within,
            (false, true) => Reach::Kept,
            (false, false) => Reach::Beyond,
        }
    }

    /// What is stored of a log, for whoever reads of a failure.
    pub(crate) fn log(&self, log: Option<&LogId>) -> Vec<(Seq, DeltaId, DeltaId, &Status)> {
        let of_it = self.places.iter().filter(|(_, place)| Some(&place.log) == log);
        let mut rows = of_it.map(|(id, place)| (place.seq, *id, place.prev, &place.status));
        let mut rows = rows.by_ref().collect::<Vec<_>>();
        rows.sort_unstable_by_key(|(seq, id, ..)| (*seq, *id));
        rows
    }

    /// Where logs end by what is stored, as far as it is kept.
    pub(crate) fn stored(&self) -> Vector {
        self.vector(|_, reach| reach != Reach::Beyond)
    }

    /// Where logs end by what is settled, as far as it counts.
    pub(crate) fn applied(&self) -> Vector {
        self.vector(|place, reach| {
            place.status.is_settled() && !matches!(reach, Reach::Beyond | Reach::Kept)
        })
    }

    fn vector(&self, measured: impl Fn(&Place, Reach) -> bool) -> Vector {
        let counts = |(id, place): &(&DeltaId, &Place)| {
            let tip = Tip { log: place.log, seq: place.seq, id: **id };
            measured(place, self.reach(&tip))
        };
        let counted = || self.places.iter().filter(counts);
        let continued: BTreeSet<_> = counted().map(|(_, place)| place.prev).collect();
        let mut ends: BTreeMap<LogId, Vec<(Seq, DeltaId)>> = BTreeMap::new();
        for (id, place) in counted().filter(|(id, _)| !continued.contains(id)) {
            ends.entry(place.log).or_default().push((place.seq, *id));
        }
        ends.values_mut().for_each(|ends| ends.sort_unstable());
        Vector(ends)
    }
}
