//! Whether the state is what the root says, and what the log makes of it.

use mangrove_protocol::fold::{self, FOLD_VERSION, Unfoldable};
use mangrove_protocol::root::{Leaf, Root};
use mangrove_protocol::view::{Counters, Items, Keys, Owns, Registers, Roots, Sets, Table};

use super::Depth;
use super::agree::{Find, rows};
use crate::snapshot::Snapshot;

pub(super) fn compare(snapshot: &Snapshot<'_>, depth: Depth, find: &mut Find<'_>) {
    let own = snapshot.get::<Owns>(&()).ok().flatten().unwrap_or_default();
    let by_other_rules = own.settled > 0 && own.fold_version != FOLD_VERSION;
    if own.rebuild.is_some() || by_other_rules {
        // The node makes it anew at its next start.
        return;
    }
    let kept = snapshot.get::<Roots>(&()).ok().flatten().unwrap_or_else(Root::empty);
    if kept != root(snapshot) {
        find(Roots::NAME, "the root is not that of the state".to_owned());
    }
    if depth == Depth::Deep {
        refold(snapshot, &kept, find);
    }
}

/// The root of what is stored.
fn root(snapshot: &Snapshot<'_>) -> Root {
    let mut root = Root::empty();
    let mut add = |leaf: Option<Leaf<'_>>| root.replace(None, leaf);
    rows::<Registers>(snapshot).for_each(|(key, row)| add(row.leaf(&key)));
    rows::<Counters>(snapshot).for_each(|(key, row)| add(row.leaf(&key)));
    rows::<Items>(snapshot).for_each(|((key, item), row)| add(row.leaf(&key, &item)));
    root
}

/// Makes the state anew and compares it row by row.
fn refold(snapshot: &Snapshot<'_>, kept: &Root, find: &mut Find<'_>) {
    let (table, root) = match fold::refold(snapshot) {
        Ok(folded) => folded,
        // A replica keeps what it cannot read, and has no state.
        Err(Unfoldable::NoKey { .. }) if rows::<Keys>(snapshot).next().is_none() => return,
        Err(why) => return find("deltas", format!("state cannot be made anew: {why}")),
    };
    if root != *kept {
        find(Roots::NAME, "the root is not that of the log".to_owned());
    }
    let mut differ = |table: &'static str, same: bool| {
        if !same {
            find(table, "it is not what the log makes of it".to_owned());
        }
    };
    let same = rows::<Registers>(snapshot).eq(table.registers().clone());
    differ(Registers::NAME, same);
    differ(Counters::NAME, rows::<Counters>(snapshot).eq(table.counters().clone()));
    differ(Sets::NAME, rows::<Sets>(snapshot).eq(table.sets().clone()));
    let items = table.items().iter().flat_map(|(key, items)| {
        items.iter().map(move |(item, row)| ((key.clone(), item.clone()), row.clone()))
    });
    differ(Items::NAME, rows::<Items>(snapshot).eq(items));
}
