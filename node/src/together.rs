//! Two and three nodes that share a context.

use std::time::Duration;

use mangrove_protocol::governance::Role;
use mangrove_protocol::id::ContextId;

use crate::handle::Terms;
use crate::house::{House, eventually};

const SOON: Duration = Duration::from_secs(20);

fn writer() -> Terms {
    Terms { role: Role::Writer, lasts: Duration::from_secs(3_600), uses: 0 }
}

/// A context that the first node founds and the others join.
fn share(houses: &[House]) -> ContextId {
    let first = &houses[0];
    let context = first.wait(first.node.create("shared")).unwrap();
    let ticket = first.wait(first.node.invite(context, writer())).unwrap().ticket;
    for house in &houses[1..] {
        let joined = house.wait(house.node.join(&ticket, None, SOON)).unwrap();
        assert!(joined.is_synced, "{joined:?}");
        assert_eq!(joined.role, Some(Role::Writer));
    }
    context
}

#[test]
fn what_one_writes_all_read() {
    let houses = [House::start(1), House::start(2), House::start(3)];
    let context = share(&houses);
    for (at, house) in houses.iter().enumerate() {
        for number in 0..20 {
            house.put(context, &format!("{at}/{number}"), "x").unwrap();
        }
    }
    eventually("equal roots", SOON, || {
        let roots: Vec<_> = houses.iter().map(|house| house.root(context)).collect();
        let counts: Vec<_> = houses
            .iter()
            .map(|house| house.node.look(&context, |look| look.count()).unwrap())
            .collect();
        match roots.windows(2).all(|pair| pair[0] == pair[1]) && counts == [60, 60, 60] {
            true => Ok(()),
            false => Err(format!("{counts:?}")),
        }
    });
}
