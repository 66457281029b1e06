//! The rules, one a file; each is called by the name of its file.

pub mod arrows;
pub mod attributes;
pub mod calls;
pub mod commands;
pub mod comments;
pub mod conflicts;
pub mod decisions;
pub mod keys;
pub mod links;
pub mod names;
pub mod opening;
pub mod paths;
pub mod purity;
pub mod targets;
pub mod technology;
pub mod weight;

use crate::{Graph, Tree, Violation};

/// A rule about files.
pub type TreeRule = fn(&Tree) -> Vec<Violation>;

/// A rule about packages.
pub type GraphRule = fn(&Graph) -> Vec<Violation>;

/// Every rule about files.
pub const TREE_RULES: [TreeRule; 14] = [
    attributes::violations,
    calls::violations,
    commands::violations,
    comments::violations,
    conflicts::violations,
    decisions::violations,
    keys::violations,
    links::violations,
    names::violations,
    opening::violations,
    paths::violations,
    purity::violations,
    targets::violations,
    weight::violations,
];

/// Every rule about packages.
pub const GRAPH_RULES: [GraphRule; 2] = [arrows::violations, technology::violations];

/// Whatever breaks any rule.
pub fn violations(tree: &Tree, graph: &Graph) -> Vec<Violation> {
    let of_tree = TREE_RULES.iter().flat_map(|rule| rule(tree));
    let of_graph = GRAPH_RULES.iter().flat_map(|rule| rule(graph));
    of_tree.chain(of_graph).collect()
}
