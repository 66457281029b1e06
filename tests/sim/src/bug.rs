//! The named bugs: planted in the machines or in what drives them, to prove that a campaign sees.

use std::fmt;

use mangrove_protocol::planted::{Bug as Planted, Planted as Set};

/// A bug that a campaign can be run with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bug {
    /// One of the protocol's own.
    Planted(Planted),
    /// Lets out what derives from a commit once that is written, before it is synced.
    AckBeforeSync,
    /// Starts a node on what a dead process had written before that is synced.
    OpenBeforeSync,
    /// Confirms a buffered commit that must be synced before it is: a power loss can bring back the
    /// mark that a life had ended cleanly.
    CleanForEver,
}

impl Bug {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        let planted = Planted::ALL.into_iter().map(Self::Planted);
        planted.chain([Self::AckBeforeSync, Self::OpenBeforeSync, Self::CleanForEver])
    }

    /// The one with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|bug| bug.to_string() == name)
    }

    /// What is planted in the machines.
    pub(crate) fn planted(bug: Option<Self>) -> Set {
        Set::bugs(match bug {
            Some(Self::Planted(bug)) => Some(bug),
            Some(_) | None => None,
        })
    }
}

impl fmt::Display for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Planted(bug) => write!(f, "{bug:?}"),
            Self::AckBeforeSync => f.write_str("AckBeforeSync"),
            Self::OpenBeforeSync => f.write_str("OpenBeforeSync"),
            Self::CleanForEver => f.write_str("CleanForEver"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_is_found_by_its_name() {
        assert!(Bug::all().all(|bug| Bug::named(&bug.to_string()) == Some(bug)));
        assert_eq!(Bug::named("NoSuchBug"), None);
    }
}
