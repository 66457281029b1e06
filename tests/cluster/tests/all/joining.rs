//! Coming in by a ticket that is given at the start, also when who issued it comes later.

use std::time::Duration;

use mangrove_cluster::{Kind, Node, Plan, Port, edits, eventually};
use serde_json::json;

use crate::place;

const SOON: Duration = Duration::from_secs(60);

#[test]
fn a_node_that_is_started_with_a_ticket_comes_in_as_soon_as_its_issuer_is_there() {
    let place = place();
    let mut host = Node::start(&place, Plan::new("host"));
    let rpc = host.rpc();
    let context = rpc.create("shared").unwrap();
    rpc.apply(&context, &[edits::put("k", "v")]).unwrap();
    let ticket = rpc.invite(&context).unwrap().ticket;
    host.stop();
    let guest = Node::start(&place, Plan::new("guest").arg("--join").arg(&ticket));
    // Nobody is there to let it in, and it serves all the same.
    assert!(guest.rpc().status().is_ok());
    host.restart(Port::Same);
    eventually("the guest is in", SOON, || {
        let seen = guest.rpc().get(&context, Kind::Register, "k").map_err(|why| why.to_string())?;
        match seen.entry {
            Some(entry) if entry.value == Some(json!("v")) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
}
