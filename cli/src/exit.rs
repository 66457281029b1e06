//! What went wrong, as a shell and a program see it.

use std::process::ExitCode;

use mangrove_server::Kind as Told;

/// What went wrong, as far as a caller can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The command line asks for something that does not exist or makes no sense.
    Usage,
    /// The configuration is not in order.
    Config,
    /// What was sent to the node is no JSON.
    Parse,
    /// What was sent to the node is no call.
    InvalidRequest,
    /// The node has no such method.
    MethodNotFound,
    /// What was named does not exist.
    NotFound,
    /// What is there already stands in the way.
    Conflict,
    /// A passphrase or token does not suffice.
    Refused,
    /// A role, or what a token is for, does not suffice.
    Forbidden,
    /// The node is called by a name that is not its own.
    Misdirected,
    /// Over a limit.
    TooLarge,
    /// The context is not there yet.
    Syncing,
    /// The context is out of use.
    Quarantined,
    /// The ticket is of no use.
    Ticket,
    /// The disk refuses, or holds something unreadable.
    Storage,
    /// No node answers.
    NotReachable,
    /// The node is stopping.
    Stopping,
    /// More than one may be meant.
    Ambiguous,
    /// The clock of this machine cannot be right.
    Clock,
    /// The node has too much to do, or did not finish in time.
    Busy,
    /// The node could not go on.
    Fatal,
    /// A fault of this program or of the system under it.
    Internal,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 22] = [
        Self::Usage,
        Self::Config,
        Self::Parse,
        Self::InvalidRequest,
        Self::MethodNotFound,
        Self::NotFound,
        Self::Conflict,
        Self::Refused,
        Self::Forbidden,
        Self::Misdirected,
        Self::TooLarge,
        Self::Syncing,
        Self::Quarantined,
        Self::Ticket,
        Self::Storage,
        Self::NotReachable,
        Self::Stopping,
        Self::Ambiguous,
        Self::Clock,
        Self::Busy,
        Self::Fatal,
        Self::Internal,
    ];

    /// The JSON-RPC code, the name, and the exit code. What a node can tell is in its table; the rest is here.
    const fn row(self) -> (i32, &'static str, u8) {
        let told = match self {
            Self::Config => return (-32602, "config", 1),
            Self::Fatal => return (-32603, "fatal", 101),
            Self::Usage => Told::InvalidParams,
            Self::Parse => Told::Parse,
            Self::InvalidRequest => Told::InvalidRequest,
            Self::MethodNotFound => Told::MethodNotFound,
            Self::NotFound => Told::NotFound,
            Self::Conflict => Told::Conflict,
            Self::Refused => Told::Unauthorized,
            Self::Forbidden => Told::Forbidden,
            Self::Misdirected => Told::Misdirected,
            Self::TooLarge => Told::TooLarge,
            Self::Syncing => Told::Syncing,
            Self::Quarantined => Told::Quarantined,
            Self::Ticket => Told::Ticket,
            Self::Storage => Told::Storage,
            Self::NotReachable => Told::Unreachable,
            Self::Stopping => Told::Stopping,
            Self::Ambiguous => Told::Ambiguous,
            Self::Clock => Told::Clock,
            Self::Busy => Told::Busy,
            Self::Internal => Told::Internal,
        };
        (told.code(), told.name(), told.exit())
    }

    /// The kind of this name, if this program knows it.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Its code in JSON.
    pub const fn code(self) -> i32 {
        self.row().0
    }

    /// Its name in JSON.
    pub const fn name(self) -> &'static str {
        self.row().1
    }

    /// What the process returns.
    pub fn exit_code(self) -> ExitCode {
        ExitCode::from(self.row().2)
    }

    /// Whether it goes away by itself, so that it is worth trying again.
    pub const fn is_passing(self) -> bool {
        matches!(self, Self::NotReachable | Self::Stopping | Self::Busy | Self::Syncing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_node_tells_a_command_tells_as_well_and_two_things_beside() {
        for told in Told::ALL {
            let named =
                Kind::named(told.name()).unwrap_or_else(|| panic!("{} has no row", told.name()));
            assert_eq!(named.row(), (told.code(), told.name(), told.exit()));
        }
        let is_told = |kind: &&Kind| Told::ALL.iter().any(|told| told.name() == kind.name());
        let other = Kind::ALL.iter().filter(|kind| !is_told(kind));
        assert_eq!(other.copied().collect::<Vec<_>>(), [Kind::Config, Kind::Fatal]);
    }
}
