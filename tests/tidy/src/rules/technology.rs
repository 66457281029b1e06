//! Each technology has one room: whoever swaps it touches one package.

use crate::{Dependency, Graph, Kind, Package, Violation};

/// Packages that see everything: they run real nodes.
const EXEMPT: [&str; 2] = ["mangrove-cluster", "mangrove-bench"];

struct Technology {
    /// Package names; a star at the end stands for any ending.
    packages: &'static [&'static str],
    rooms: Rooms,
}

enum Rooms {
    Only(&'static [&'static str]),
    /// As `Only`, but any package's tests may use it.
    OnlyAndTests(&'static [&'static str]),
    AllBut(&'static [&'static str]),
}

const TECHNOLOGIES: [Technology; 9] = [
    Technology {
        packages: &["rocksdb*", "librocksdb-sys"],
        rooms: Rooms::Only(&["mangrove-store"]),
    },
    Technology { packages: &["libp2p", "libp2p-*"], rooms: Rooms::Only(&["mangrove-network"]) },
    Technology { packages: &["actix"], rooms: Rooms::Only(&["mangrove-node"]) },
    Technology {
        packages: &["actix-rt"],
        rooms: Rooms::Only(&["mangrove-node", "mangrove-server"]),
    },
    Technology {
        packages: &["actix-web", "actix-ws", "actix-http", "actix-cors"],
        rooms: Rooms::Only(&["mangrove-server"]),
    },
    Technology {
        packages: &["clap", "clap_complete", "clap_mangen"],
        rooms: Rooms::Only(&["mangrove-cli"]),
    },
    Technology { packages: &["eyre", "color-eyre"], rooms: Rooms::OnlyAndTests(&["mangrove-cli"]) },
    Technology {
        packages: &["tokio", "tokio-*"],
        rooms: Rooms::AllBut(&[
            "mangrove-protocol",
            "mangrove-config",
            "mangrove-sim",
            "mangrove-tidy",
        ]),
    },
    Technology {
        packages: &["tracing", "tracing-*"],
        rooms: Rooms::AllBut(&["mangrove-protocol", "mangrove-sim"]),
    },
];

/// Packages that name a technology outside of its room.
pub fn violations(graph: &Graph) -> Vec<Violation> {
    let watched = graph.packages().iter().filter(|it| !EXEMPT.contains(&it.name.as_str()));
    watched.flat_map(of_package).collect()
}

impl Technology {
    fn covers(&self, package: &str) -> bool {
        self.packages.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(beginning) => package.starts_with(beginning),
            None => *pattern == package,
        })
    }

    fn admits(&self, package: &Package, dependency: &Dependency) -> bool {
        let name = package.name.as_str();
        match self.rooms {
            Rooms::Only(rooms) => rooms.contains(&name),
            Rooms::OnlyAndTests(rooms) => {
                rooms.contains(&name) || dependency.kind == Kind::Development
            }
            Rooms::AllBut(closed) => !closed.contains(&name),
        }
    }

    fn instead(&self) -> String {
        match self.rooms {
            Rooms::Only(rooms) | Rooms::OnlyAndTests(rooms) => {
                format!("speak to it through {}", rooms.join(" or "))
            }
            Rooms::AllBut(_) => "keep this package pure: return values, and let an edge package \
                                 wait for them or log them"
                .to_owned(),
        }
    }
}

fn of_package(package: &Package) -> Vec<Violation> {
    package.dependencies.iter().filter_map(|dependency| misplaced(package, dependency)).collect()
}

fn misplaced(package: &Package, dependency: &Dependency) -> Option<Violation> {
    let technology = TECHNOLOGIES.iter().find(|it| it.covers(&dependency.name))?;
    (!technology.admits(package, dependency)).then(|| Violation {
        rule: "technology",
        place: package.name.clone(),
        what: format!("names {}", dependency.name),
        instead: technology.instead(),
    })
}

#[cfg(test)]
mod tests {
    use super::violations;
    use crate::{Graph, Kind};

    fn check(package: &str, dependency: &str, kind: Kind, expect: usize) {
        let graph = Graph::of(&[(package, &[(dependency, kind)])]);
        assert_eq!(violations(&graph).len(), expect, "{package} names {dependency}, {kind:?}");
    }

    #[test]
    fn a_technology_outside_of_its_room_is_caught() {
        check("mangrove-node", "rocksdb", Kind::Normal, 1);
        check("mangrove-node", "rocksdb-options", Kind::Normal, 1);
        check("mangrove-cli", "librocksdb-sys", Kind::Build, 1);
        check("mangrove-store", "libp2p", Kind::Development, 1);
        check("mangrove-protocol", "libp2p-identity", Kind::Normal, 1);
        check("mangrove-server", "actix", Kind::Normal, 1);
        check("mangrove-cli", "actix-rt", Kind::Normal, 1);
        check("mangrove-node", "actix-web", Kind::Normal, 1);
        check("mangrove-config", "clap", Kind::Normal, 1);
        check("mangrove-store", "eyre", Kind::Normal, 1);
        check("mangrove-sim", "tokio", Kind::Development, 1);
        check("mangrove-config", "tokio-util", Kind::Normal, 1);
        check("mangrove-protocol", "tracing", Kind::Normal, 1);
    }

    #[test]
    fn a_technology_in_its_room_is_not_caught() {
        check("mangrove-store", "rocksdb", Kind::Normal, 0);
        check("mangrove-network", "libp2p-identity", Kind::Normal, 0);
        check("mangrove-server", "actix-rt", Kind::Normal, 0);
        check("mangrove-cli", "clap_complete", Kind::Normal, 0);
        check("mangrove-cli", "color-eyre", Kind::Normal, 0);
        check("mangrove-store", "eyre", Kind::Development, 0);
        check("mangrove-store", "tokio", Kind::Normal, 0);
        check("mangrove-config", "tracing", Kind::Normal, 0);
    }

    #[test]
    fn a_package_with_a_similar_name_is_not_caught() {
        check("mangrove-node", "actix-derive", Kind::Normal, 0);
        check("mangrove-protocol", "libp2pish", Kind::Normal, 0);
    }

    #[test]
    fn packages_that_run_real_nodes_may_name_anything() {
        check("mangrove-cluster", "libp2p", Kind::Normal, 0);
        check("mangrove-bench", "rocksdb", Kind::Normal, 0);
    }
}
