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
    /// What was named does not exist.
    NotFound,
    /// What is there already stands in the way.
    Conflict,
    /// A passphrase, token or role does not suffice.
    Refused,
    /// The disk refuses, or holds something unreadable.
    Storage,
    /// No node answers.
    NotReachable,
    /// The node has too much to do, or did not finish in time.
    Busy,
    /// The node could not go on.
    Fatal,
    /// A fault of this program or of the system under it.
    Internal,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 10] = [
        Self::Usage,
        Self::Config,
        Self::NotFound,
        Self::Conflict,
        Self::Refused,
        Self::Storage,
        Self::NotReachable,
        Self::Busy,
        Self::Fatal,
        Self::Internal,
    ];

    /// The JSON-RPC code, the name, and the exit code.
    const fn row(self) -> (i32, &'static str, u8) {
        match self {
            Self::Usage => (-32602, "invalidParams", 2),
            Self::Config => (-32602, "config", 1),
            Self::NotFound => (-32003, "notFound", 4),
            Self::Conflict => (-32004, "conflict", 1),
            Self::Refused => (-32001, "unauthorized", 5),
            Self::Storage => (-32011, "storage", 1),
            Self::NotReachable => (-32009, "unreachable", 3),
            Self::Busy => (-32000, "busy", 6),
            Self::Fatal => (-32603, "fatal", 101),
            Self::Internal => (-32603, "internal", 1),
        }
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
}
