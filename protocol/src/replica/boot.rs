//! Waking a replica from what is stored.

use std::collections::{BTreeMap, VecDeque};

use super::government::Government;
use super::{Arrived, Asking, Config, Durability, Replica};
use crate::effect::{Effect, Note, Reborn};
use crate::fold::FOLD_VERSION;
use crate::graph::Cause;
use crate::id::LogId;
use crate::log::LogRow;
use crate::replica::beat::{Clocks, Rhythm};
use crate::replica::crowd::Crowd;
use crate::replica::loose::Loose;
use crate::replica::parking::Parking;
use crate::replica::rebuild::Rebuild;
use crate::root::Root;
use crate::view::{self, Deltas, Heads, Logs, Outbox, Owns, Places, Roots, View, Waiting};

impl Replica {
    /// The replica of a context as it is stored; one that is stored nowhere begins empty.
    ///
    /// Deltas that were committed and perhaps not published are published again with the first
    /// input.
    pub fn boot(config: Config, now_ms: u64, view: &impl View) -> Self {
        let mut own = view.get::<Owns>(&()).unwrap_or_default();
        let reborn = match (own.incarnation, config.durability) {
            (None, _) => Some(Reborn::First),
            (Some(_), Durability::Buffered) if !own.clean => Some(Reborn::Unclean),
            (Some(_), Durability::Buffered | Durability::Fsync) => None,
        };
        // Written down with the next commit, so that not even a clean end of this life brings it back.
        own.incarnation = own.incarnation.filter(|_| reborn.is_none());
        if own.settled > 0 && own.fold_version != FOLD_VERSION {
            own.rebuild = own.rebuild.or(Some(Rebuild::Due));
        }
        if own.settled == 0 && own.rebuild.is_none() {
            own.fold_version = FOLD_VERSION;
        }
        let logs: BTreeMap<_, _> = view::every::<Logs, _>(view).collect();
        let (mut government, damaged) = Government::load(&config, view, &logs);
        government.turn = own.rebuild.map_or(u64::MAX, Rebuild::turn);
        let damaged = damaged.into_iter().map(|delta| Effect::Note(Note::Damaged { delta }));
        let opening = damaged.chain(unpublished(view)).chain(unfetched(&government, view, &logs));
        let opening = opening.collect();
        Self {
            government,
            own,
            root: view.get::<Roots>(&()).unwrap_or_else(Root::empty),
            logs,
            heads: view::every::<Heads, _>(view).collect(),
            parking: parked(&config, view),
            crowd: Crowd::default(),
            // The program may be a later one than that which parked them.
            stirred: vec![Cause::Version],
            deciding: VecDeque::new(),
            loose: Loose::new(config.bounds.loose_bytes),
            arrived: Arrived::default(),
            asked: Asking::default(),
            published: Vec::new(),
            learnt: Vec::new(),
            joined: false,
            gathered: 0,
            requests_since_ms: 0,
            reborn,
            rhythm: Rhythm::new(now_ms),
            clocks: Clocks::default(),
            tend_at_ms: None,
            flights: VecDeque::new(),
            answered: 0,
            stopping: false,
            opening,
            config,
        }
    }
}

fn parked(config: &Config, view: &impl View) -> Parking {
    let mut parking = Parking::new(&config.bounds);
    for ((_, id), ()) in view::every::<Waiting, _>(view) {
        if let Some(place) = view.get::<Places>(&id) {
            parking.enter(place.log.author, place.bytes);
        }
    }
    parking
}

fn unpublished(view: &impl View) -> impl Iterator<Item = Effect> {
    let deltas = view::every::<Outbox, _>(view).filter_map(|(id, ())| view.get::<Deltas>(&id));
    deltas.map(Effect::Publish)
}

/// What parked deltas miss was asked for in an earlier life; nobody remembers that.
fn unfetched(
    government: &Government,
    view: &impl View,
    logs: &BTreeMap<LogId, LogRow>,
) -> impl Iterator<Item = Effect> {
    let waiting = view::every::<Waiting, _>(view).filter_map(|((cause, id), ())| match cause {
        Cause::Parent(parent) => Some((parent, id)),
        Cause::Key(_) | Cause::Clock(_) | Cause::Version => None,
    });
    let missing = waiting.filter(|(parent, _)| view.get::<Places>(parent).is_none());
    missing.filter_map(|(_, id)| {
        let delta = view.get::<Deltas>(&id)?;
        let wanted = government.missing(view, logs, delta.header())?;
        Some(Effect::Fetch { wanted, from: None })
    })
}
