//! State made anew from the log, a part at a time: when deltas that had their turn count no more, when
//! some count that did not, and when the rules of folding change.
//!
//! First what was folded is cleared away. Then every delta of the history has its turn again, in the
//! same order, which is a causal one; a delta that has to wait now waits as any other. What comes
//! meanwhile stands in line. How far it got is part of every commit, so that it survives a crash.

use std::ops::Bound;

use borsh::{BorshDeserialize, BorshSerialize};

use super::settle::Outcome;
use super::{Replica, Step};
use crate::clock::Hlc;
use crate::effect::Note;
use crate::fold::FOLD_VERSION;
use crate::graph::Status;
use crate::id::{DeltaId, Plane};
use crate::log::Tips;
use crate::replica::feed::FeedItem;
use crate::root::Root;
use crate::view::{
    Counters, Deltas, Heads, History, Items, Leaning, Logs, Owns, Places, Registers, Sets, Table,
    View,
};

/// Rows cleared away, and deltas that have their turn again, in one step.
const PART: usize = 256;

/// How far state has been made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Rebuild {
    /// It has not begun.
    Due = 1,
    /// What was folded is being cleared away.
    Clearing {
        /// Deltas that will have their turn.
        total: u64,
    } = 2,
    /// Deltas have their turn.
    Turning {
        /// How many had it.
        at: u64,
        /// Of how many.
        total: u64,
    } = 3,
}

impl Rebuild {
    /// From here on, deltas of the history have yet to be settled anew.
    pub(super) const fn turn(self) -> u64 {
        match self {
            Self::Due => u64::MAX,
            Self::Clearing { .. } => 0,
            Self::Turning { at, .. } => at,
        }
    }
}

/// How far state has been made anew; none if it is as it should be.
pub fn rebuilding(view: &impl View) -> Option<Rebuild> {
    view.get::<Owns>(&())?.rebuild
}

impl Replica {
    /// Whether state is being made anew.
    pub fn is_rebuilding(&self) -> bool {
        self.own.rebuild.is_some()
    }

    /// State is to be made anew, as soon as this step is over.
    pub(super) fn begin_rebuild<V: View>(&mut self, step: &mut Step<'_, V>) {
        if self.own.rebuild.is_none() {
            self.own.rebuild = Some(Rebuild::Due);
            step.over.put::<Owns>((), self.own.clone());
        }
    }

    /// One part of making state anew.
    pub(super) fn rebuild<V: View>(&mut self, step: &mut Step<'_, V>) {
        match self.own.rebuild {
            None => return,
            Some(Rebuild::Due) => self.start_over(step),
            Some(Rebuild::Clearing { total }) => self.clear(step, total),
            Some(Rebuild::Turning { at, total }) => self.turn(step, at, total),
        }
        self.government.turn = self.own.rebuild.map_or(u64::MAX, Rebuild::turn);
        step.over.put::<Owns>((), self.own.clone());
    }

    /// Nothing has had its turn.
    fn start_over<V: View>(&mut self, step: &mut Step<'_, V>) {
        self.own.rebuild = Some(Rebuild::Clearing { total: self.own.settled });
        self.own.fold_version = FOLD_VERSION;
        self.own.settled = 0;
        self.own.clock = Hlc::ZERO;
        self.root = Root::empty();
        self.government.start_over();
        for (log, row) in &mut self.logs {
            if log.plane == Plane::Data && !row.applied.is_empty() {
                row.applied = Tips::default();
                step.over.put::<Logs>(*log, row.clone());
            }
        }
    }

    fn clear<V: View>(&mut self, step: &mut Step<'_, V>, total: u64) {
        let mut room = PART;
        self.heads.clear();
        clear::<Registers, V>(step, &mut room);
        clear::<Counters, V>(step, &mut room);
        clear::<Sets, V>(step, &mut room);
        clear::<Items, V>(step, &mut room);
        clear::<Heads, V>(step, &mut room);
        clear::<Leaning, V>(step, &mut room);
        if room > 0 {
            self.own.rebuild = Some(Rebuild::Turning { at: 0, total });
        }
    }

    fn turn<V: View>(&mut self, step: &mut Step<'_, V>, at: u64, total: u64) {
        let until = total.min(at + PART as u64);
        let mut voided = Vec::new();
        for order in at..until {
            self.government.turn = order;
            let Some(id) = step.over.get::<History>(&order) else { continue };
            step.over.remove::<History>(order);
            if self.turn_again(step, id) {
                voided.push(id);
            }
        }
        let ended = until == total;
        self.own.rebuild = (!ended).then_some(Rebuild::Turning { at: until, total });
        if ended {
            // Another program may have begun it by other rules.
            let anew = self.own.fold_version != FOLD_VERSION;
            self.own.rebuild = anew.then_some(Rebuild::Due);
            self.government.turn = u64::MAX;
            self.government.restless = true;
        }
        if ended || !voided.is_empty() {
            self.tell(step, FeedItem::Rebuilt { void: voided });
        }
    }

    /// The turn of a delta that had one before; whether it is an own one that counted, and counts no
    /// more.
    fn turn_again<V: View>(&mut self, step: &mut Step<'_, V>, id: DeltaId) -> bool {
        let Some(delta) = step.over.get::<Deltas>(&id) else {
            step.note(Note::Damaged { delta: id });
            return false;
        };
        let before = step.over.get::<Places>(&id).map(|place| place.status);
        let counted = matches!(before, Some(Status::Applied { .. }));
        // What governance makes of its turn, it makes of it once and for all.
        let judged = match (delta.log().plane, counted) {
            (Plane::Governance, true) => Ok(Outcome::Keep),
            _ => self.judge(step, &delta, None),
        };
        let falls = match judged {
            Ok(outcome) => {
                let falls = matches!(outcome, Outcome::Void(_));
                self.settle_one(step, &delta, outcome);
                falls
            }
            Err(cause) => {
                self.park(step, &delta, cause);
                true
            }
        };
        counted && falls && delta.log().author == self.peer()
    }
}

/// Removes rows of a table, as long as there is room for it.
fn clear<T: Table, V: View>(step: &mut Step<'_, V>, room: &mut usize) {
    let rows = step.over.scan::<T>(Bound::Unbounded, *room);
    *room -= rows.len();
    rows.into_iter().for_each(|(key, _)| step.over.remove::<T>(key));
}
