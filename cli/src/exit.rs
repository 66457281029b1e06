//! The one table from what went wrong to what a program sees: JSON-RPC code, name, exit code.

use std::process::ExitCode;

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

    /// The JSON-RPC code, the name, and the exit code.
    const fn row(self) -> (i32, &'static str, u8) {
        match self {
            Self::Usage => (-32602, "invalidParams", 2),
            Self::Config => (-32602, "config", 1),
            Self::Parse => (-32700, "parse", 2),
            Self::InvalidRequest => (-32600, "invalidRequest", 1),
            Self::MethodNotFound => (-32601, "methodNotFound", 1),
            Self::NotFound => (-32003, "notFound", 4),
            Self::Conflict => (-32004, "conflict", 1),
            Self::Refused => (-32001, "unauthorized", 5),
            Self::Forbidden => (-32002, "forbidden", 5),
            Self::Misdirected => (-32002, "misdirected", 5),
            Self::TooLarge => (-32005, "tooLarge", 1),
            Self::Syncing => (-32006, "syncing", 6),
            Self::Quarantined => (-32007, "quarantined", 1),
            Self::Ticket => (-32008, "ticket", 5),
            Self::Storage => (-32011, "storage", 1),
            Self::NotReachable => (-32009, "unreachable", 3),
            Self::Stopping => (-32010, "stopping", 3),
            Self::Ambiguous => (-32012, "ambiguous", 2),
            Self::Clock => (-32013, "clock", 1),
            Self::Busy => (-32000, "busy", 6),
            Self::Fatal => (-32603, "fatal", 101),
            Self::Internal => (-32603, "internal", 1),
        }
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

    /// The errors of the contract, each with the code that it has there.
    const CONTRACT: [(&str, i32); 20] = [
        ("parse", -32700),
        ("invalidRequest", -32600),
        ("methodNotFound", -32601),
        ("invalidParams", -32602),
        ("internal", -32603),
        ("busy", -32000),
        ("unauthorized", -32001),
        ("forbidden", -32002),
        ("misdirected", -32002),
        ("notFound", -32003),
        ("conflict", -32004),
        ("tooLarge", -32005),
        ("syncing", -32006),
        ("quarantined", -32007),
        ("ticket", -32008),
        ("unreachable", -32009),
        ("stopping", -32010),
        ("storage", -32011),
        ("ambiguous", -32012),
        ("clock", -32013),
    ];

    #[test]
    fn every_error_of_the_contract_has_a_row_and_an_exit_code_of_it() {
        for (name, code) in CONTRACT {
            let kind = Kind::named(name).unwrap_or_else(|| panic!("{name} has no row"));
            assert_eq!(kind.code(), code, "{name}");
            assert!((1..=6).contains(&kind.row().2), "{name}");
        }
        let other = Kind::ALL.iter().filter(|kind| !CONTRACT.iter().any(|it| it.0 == kind.name()));
        assert_eq!(other.copied().collect::<Vec<_>>(), [Kind::Config, Kind::Fatal]);
    }
}
