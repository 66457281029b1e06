//! What is looked at when a node writes or refuses: by which right it writes, under which epoch, to whom
//! it hands keys, whom it turns away.

use mangrove_protocol::delta::Delta;
use mangrove_protocol::effect::Refused;
use mangrove_protocol::governance::{Act, Role};
use mangrove_protocol::id::{DeltaId, PeerId, Plane};
use mangrove_protocol::replica::Replica;
use mangrove_protocol::request::Fault;
use mangrove_protocol::view::{Batch, Deltas, Table};

use crate::node::Spot;
use crate::verdict::Violation;
use crate::world::World;

type Checked = Result<(), Violation>;

fn broken(rule: &'static str, what: String) -> Checked {
    Err(Violation::new(rule, what))
}

/// A node has written a delta, which is part of a batch.
pub(crate) fn writes(world: &mut World, spot: Spot, batch: &Batch, delta: &Delta) -> Checked {
    let Some(replica) = replica(world, spot) else { return Ok(()) };
    match delta.log().plane {
        Plane::Data => {
            right(replica, delta)?;
            epoch(replica, delta)
        }
        Plane::Governance => {
            let Ok(act) = Act::decode(delta.payload()) else {
                return broken("G3", format!("{delta:?} of an honest node cannot be read"));
            };
            let checked = handed_out(replica, batch, delta, &act);
            world.tally.hit(label(&act));
            checked
        }
    }
}

fn replica(world: &World, spot: Spot) -> Option<&Replica> {
    Some(&world.nodes.get(spot.node)?.running()?.cells.get(spot.context)?.replica)
}

/// G3: one writes by the right that one has.
fn right(replica: &Replica, delta: &Delta) -> Checked {
    let right = replica.roster().authority(replica.peer()).map(|it| it.id());
    match right == Some(delta.log().authority) {
        true => Ok(()),
        false => broken("G3", format!("{delta:?} is not written by {right:?}")),
    }
}

/// G4: one writes under an epoch that only members can open.
fn epoch(replica: &Replica, delta: &Delta) -> Checked {
    let epoch = delta.header().seal.epoch();
    let epochs = replica.roster().epochs();
    let confined = epoch.and_then(|id| epochs.get(&id)).is_some_and(|epoch| epoch.is_confined);
    if confined { Ok(()) } else { broken("G4", format!("others than members can open {delta:?}")) }
}

/// G5: keys are handed to members.
fn handed_out(replica: &Replica, batch: &Batch, delta: &Delta, act: &Act) -> Checked {
    let recipients: Vec<PeerId> = match act {
        Act::Rotate(rotation) | Act::Revoke { rotation, .. } => {
            rotation.seals.iter().map(|seal| seal.member).collect()
        }
        Act::Seal { key, .. } => vec![key.member],
        _ => Vec::new(),
    };
    // What else is decided with the same step may end the membership of whom keys were handed to.
    let others = Deltas::changes(batch).values().flatten().filter(|it| it.id() != delta.id());
    let mut ends = others.filter(|it| it.log().plane == Plane::Governance);
    if ends.any(|it| !matches!(Act::decode(it.payload()), Ok(Act::Seal { .. } | Act::Rotate(_)))) {
        return Ok(());
    }
    let members = replica.roster().members();
    match recipients.iter().find(|member| !members.contains_key(member)) {
        Some(member) => broken("G5", format!("{delta:?} hands a key to {member:?}, no member")),
        None => Ok(()),
    }
}

const fn label(act: &Act) -> &'static str {
    match act {
        Act::Rotate(_) => "acts: rotate",
        Act::Seal { .. } => "acts: seal",
        Act::Close { .. } => "acts: close",
        Act::Revoke { .. } => "acts: revoke",
        Act::Leave { .. } => "acts: leave",
        _ => "acts: otherwise",
    }
}

/// G6: whoever may write can.
pub(crate) fn refuses(world: &World, spot: Spot, fault: &Fault) -> Checked {
    let Some(replica) = replica(world, spot) else { return Ok(()) };
    // What it has learnt in a step made ahead it did not know when it refused.
    let cell = world.nodes.get(spot.node).and_then(|node| node.running()?.cells.get(spot.context));
    if cell.is_some_and(|cell| cell.ahead.is_some()) {
        return Ok(());
    }
    let role = replica.roster().role(replica.peer());
    let unfair = matches!(fault, Fault::Forbidden | Fault::Syncing | Fault::Exhausted);
    if unfair && role.is_some_and(Role::writes) && !replica.is_rebuilding() {
        return broken("G6", format!("one who may write is told: {fault:?}"));
    }
    Ok(())
}

/// G7: nobody is refused for what no honest node writes, unless they wrote it.
pub(crate) fn turns_away(world: &World, delta: DeltaId, why: Refused) -> Checked {
    let never = matches!(why, Refused::NotContinuing | Refused::TooMuchGovernance);
    let author = world.payloads.author(delta).filter(|author| {
        world.cast.node(*author).is_some() && !world.ledger.dishonest.contains(author)
    });
    match author.filter(|_| never) {
        Some(author) => broken("G7", format!("{delta:?} of {author:?} is refused: {why}")),
        None => Ok(()),
    }
}
