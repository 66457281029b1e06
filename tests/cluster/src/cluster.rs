//! Nodes that share a context.

use std::time::Duration;

use crate::dump::{Dump, dump};
use crate::eventually::eventually;
use crate::naive;
use crate::node::{Node, Plan};
use crate::place::Place;
use crate::rpc::{Rooted, Rpc};
use crate::wrong::Wrong;

/// How long a new member waits until all is there.
const JOINING_SECS: u64 = 30;
/// How long it may take until all is equal that is to become so.
const SOON: Duration = Duration::from_secs(60);

/// Nodes that share a context.
#[derive(Debug)]
pub struct Cluster {
    /// Them.
    pub nodes: Vec<Node>,
    /// The context that they share.
    pub context: String,
}

impl Cluster {
    /// Starts a node for each plan; the first founds a context and lets the others in. All are connected
    /// to all.
    #[track_caller]
    pub fn meet(place: &Place, plans: impl IntoIterator<Item = Plan>) -> Self {
        let nodes = plans.into_iter().map(|plan| Node::start(place, plan)).collect::<Vec<_>>();
        let founder = nodes.first().unwrap().rpc();
        let context = founder.create("shared").unwrap();
        for node in nodes.iter().skip(1) {
            let ticket = founder.invite(&context).unwrap().ticket;
            let joined = node.rpc().join(&ticket, JOINING_SECS).unwrap();
            assert!(joined.context == context && joined.synced, "{joined:?}");
        }
        let cluster = Self { nodes, context };
        cluster.connect();
        cluster.converge();
        cluster
    }

    /// So many plans, for nodes named `a`, `b`, `c` and so on.
    pub fn plans(count: u8) -> Vec<Plan> {
        (0..count).map(|at| Plan::new(&char::from(b'a' + at).to_string())).collect()
    }

    /// Connects all to all.
    #[track_caller]
    pub fn connect(&self) {
        for (at, node) in self.nodes.iter().enumerate() {
            for other in self.nodes.iter().skip(at + 1) {
                assert_eq!(node.rpc().connect(other.address()).unwrap(), other.peer());
            }
        }
    }

    /// The node at this place.
    #[track_caller]
    pub fn node(&self, at: usize) -> &Node {
        self.nodes.get(at).unwrap()
    }

    /// The same, to be broken.
    #[track_caller]
    pub fn node_mut(&mut self, at: usize) -> &mut Node {
        self.nodes.get_mut(at).unwrap()
    }

    /// A caller of the node at this place.
    #[track_caller]
    pub fn rpc(&self, at: usize) -> Rpc {
        self.node(at).rpc()
    }

    /// Waits until all hold the same, and returns that. Not only roots are compared: all that each node
    /// shows is.
    #[track_caller]
    pub fn converge(&self) -> Dump {
        let callers = self.nodes.iter().map(Node::rpc).collect::<Vec<_>>();
        eventually("all have the same root", SOON, || self.equal_roots(&callers));
        eventually("all show the same", SOON, || self.equal_dumps(&callers))
    }

    /// The root that all have whom these callers call, if it is the same.
    pub fn equal_roots(&self, callers: &[Rpc]) -> Result<Rooted, Wrong> {
        let roots = callers.iter().map(|rpc| rpc.root(&self.context));
        let roots =
            roots.collect::<Result<Vec<_>, _>>().map_err(|why| Wrong::from(why.to_string()))?;
        // Cursors belong to one node; everything else has to be the same.
        let essence = |it: &Rooted| (it.root.clone(), it.heads.clone(), it.deltas, it.entities);
        let (first, rest) =
            roots.split_first().ok_or_else(|| Wrong::from("there are no nodes".to_owned()))?;
        match rest.iter().find(|other| essence(other) != essence(first)) {
            None => Ok(first.clone()),
            Some(other) => Err(format!("{first:?}\n  {other:?}").into()),
        }
    }

    fn equal_dumps(&self, callers: &[Rpc]) -> Result<Dump, Wrong> {
        let mut all = Vec::new();
        for (node, rpc) in self.nodes.iter().zip(callers) {
            let dump = dump(rpc, &self.context);
            let dump = dump.map_err(|why| Wrong::from(format!("{}: {why}", node.name())))?;
            all.push((node.name(), dump));
        }
        let (name, first) =
            all.first().ok_or_else(|| Wrong::from("there are no nodes".to_owned()))?;
        all.iter().skip(1).try_for_each(|(other, dump)| first.same(name, (*other, dump)))?;
        Ok(first.clone())
    }

    /// Stops all of them, and compares what they showed with what the deltas in each home come to.
    #[track_caller]
    pub fn stop_and_compare(&mut self, shown: &Dump) -> Vec<naive::Found> {
        for node in &mut self.nodes {
            assert_eq!(node.stop(), Some(143), "{}", node.name());
        }
        let found = self.nodes.iter().map(|node| compare(node, &self.context, shown));
        found.collect()
    }
}

/// Compares what a node that is stopped showed with what its deltas come to.
#[track_caller]
fn compare(node: &Node, context: &str, shown: &Dump) -> naive::Found {
    let found = naive::read(&node.home(), context).unwrap();
    let same = shown.same("shown", ("by the deltas", &naive::fold(&found.written)));
    same.unwrap_or_else(|why| panic!("{}: {why}", node.name()));
    assert_eq!((found.parked, found.void), (0, 0), "{}", node.name());
    found
}
