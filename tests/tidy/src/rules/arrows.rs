//! Packages of the workspace depend on each other as ARCHITECTURE.md draws it.

use crate::{Dependency, Graph, Kind, Package, Violation};

/// Which packages of the workspace a package may name.
enum Reach {
    Only(&'static [&'static str]),
    Everything,
}

/// Every package of the house; whoever adds one says here how far it sees.
const HOUSE: [(&str, Reach); 12] = [
    ("mangrove-protocol", Reach::Only(&[])),
    ("mangrove-config", Reach::Only(&[])),
    ("mangrove-store", Reach::Only(&["mangrove-protocol", "mangrove-config"])),
    ("mangrove-network", Reach::Only(&["mangrove-protocol", "mangrove-config"])),
    (
        "mangrove-node",
        Reach::Only(&[
            "mangrove-store",
            "mangrove-network",
            "mangrove-protocol",
            "mangrove-config",
        ]),
    ),
    ("mangrove-server", Reach::Only(&["mangrove-node", "mangrove-protocol", "mangrove-config"])),
    (
        "mangrove-cli",
        Reach::Only(&[
            "mangrove-server",
            "mangrove-node",
            "mangrove-network",
            "mangrove-store",
            "mangrove-protocol",
            "mangrove-config",
        ]),
    ),
    ("mangrove-tidy", Reach::Only(&[])),
    ("mangrove-sim", Reach::Only(&["mangrove-protocol"])),
    ("mangrove-lab", Reach::Only(&[])),
    ("mangrove-cluster", Reach::Everything),
    ("mangrove-bench", Reach::Everything),
];

/// What a package's tests may name beyond what the package may.
const FOR_TESTS: [(&str, &str); 3] = [
    ("mangrove-store", "mangrove-sim"),
    ("mangrove-network", "mangrove-lab"),
    ("mangrove-cli", "mangrove-lab"),
];

/// Arrows that point where they should not, and packages without a place in the drawing.
pub fn violations(graph: &Graph) -> Vec<Violation> {
    graph.packages().iter().flat_map(|package| of_package(graph, package)).collect()
}

fn of_package(graph: &Graph, package: &Package) -> Vec<Violation> {
    let Some((_, reach)) = HOUSE.iter().find(|(name, _)| *name == package.name) else {
        return vec![unknown(package)];
    };
    package
        .dependencies
        .iter()
        .filter(|dependency| graph.contains(&dependency.name))
        .filter(|dependency| !allows(reach, package, dependency))
        .map(|dependency| misplaced(package, dependency))
        .collect()
}

fn allows(reach: &Reach, package: &Package, dependency: &Dependency) -> bool {
    let (from, to) = (package.name.as_str(), dependency.name.as_str());
    let for_tests = from == to || FOR_TESTS.contains(&(from, to));
    match reach {
        Reach::Everything => true,
        Reach::Only(names) => {
            names.contains(&to) || (dependency.kind == Kind::Development && for_tests)
        }
    }
}

fn unknown(package: &Package) -> Violation {
    Violation {
        rule: "arrows",
        place: package.name.clone(),
        what: "the house does not know this package".to_owned(),
        instead: "say in tests/tidy/src/rules/arrows.rs what it may depend on, and draw it in \
                  ARCHITECTURE.md"
            .to_owned(),
    }
}

fn misplaced(package: &Package, dependency: &Dependency) -> Violation {
    let kind = match dependency.kind {
        Kind::Normal => "depends on",
        Kind::Build => "build-depends on",
        Kind::Development => "dev-depends on",
    };
    Violation {
        rule: "arrows",
        place: package.name.clone(),
        what: format!("{kind} {}", dependency.name),
        instead: "let the arrow point down: move what is shared to a package below both".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::violations;
    use crate::{Graph, Kind};

    fn check(from: &str, to: &str, kind: Kind, expect: usize) {
        let graph = match from == to {
            true => Graph::of(&[(from, &[(to, kind)])]),
            false => Graph::of(&[(from, &[(to, kind)]), (to, &[])]),
        };
        assert_eq!(violations(&graph).len(), expect, "{from} to {to}, {kind:?}");
    }

    #[test]
    fn an_arrow_that_points_up_or_aside_is_caught() {
        check("mangrove-protocol", "mangrove-config", Kind::Normal, 1);
        check("mangrove-store", "mangrove-network", Kind::Normal, 1);
        check("mangrove-server", "mangrove-store", Kind::Build, 1);
        check("mangrove-sim", "mangrove-store", Kind::Development, 1);
        check("mangrove-network", "mangrove-sim", Kind::Development, 1);
        check("mangrove-store", "mangrove-sim", Kind::Normal, 1);
        check("mangrove-node", "mangrove-node", Kind::Normal, 1);
    }

    #[test]
    fn an_arrow_as_drawn_is_not_caught() {
        check("mangrove-node", "mangrove-store", Kind::Normal, 0);
        check("mangrove-cli", "mangrove-server", Kind::Development, 0);
        check("mangrove-store", "mangrove-sim", Kind::Development, 0);
        check("mangrove-node", "mangrove-node", Kind::Development, 0);
        check("mangrove-cluster", "mangrove-cli", Kind::Normal, 0);
        check("mangrove-bench", "mangrove-sim", Kind::Normal, 0);
    }

    #[test]
    fn a_package_without_a_place_is_caught() {
        let graph = Graph::of(&[("mangrove-attic", &[])]);
        assert_eq!(violations(&graph).len(), 1);
    }

    #[test]
    fn a_package_from_elsewhere_is_not_this_rules_business() {
        let graph = Graph::of(&[("mangrove-protocol", &[("blake3", Kind::Normal)])]);
        assert_eq!(violations(&graph), []);
    }
}
