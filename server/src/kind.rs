//! The one table from what went wrong to what programs and shells see of it.

/// What went wrong, as far as a caller can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// It is not JSON.
    Parse,
    /// It is no call.
    InvalidRequest,
    /// There is no such method.
    MethodNotFound,
    /// The params are not those of the method.
    InvalidParams,
    /// A fault of the node.
    Internal,
    /// Too much waits.
    Busy,
    /// No token, or a wrong one.
    Unauthorized,
    /// Somebody else is meant.
    Misdirected,
    /// The role does not suffice.
    Forbidden,
    /// What was named does not exist.
    NotFound,
    /// What is there already stands in the way.
    Conflict,
    /// Over a limit.
    TooLarge,
    /// The context is not there yet.
    Syncing,
    /// The context is out of use.
    Quarantined,
    /// The ticket is of no use.
    Ticket,
    /// Nobody can be reached.
    Unreachable,
    /// The node is stopping.
    Stopping,
    /// The disk does not take it.
    Storage,
    /// More than one may be meant.
    Ambiguous,
    /// The clock of this machine cannot be right.
    Clock,
}

/// What is seen of a kind.
struct Row {
    code: i32,
    name: &'static str,
    status: u16,
    exit: u8,
}

const fn row(code: i32, name: &'static str, status: u16, exit: u8) -> Row {
    Row { code, name, status, exit }
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 20] = [
        Self::Parse,
        Self::InvalidRequest,
        Self::MethodNotFound,
        Self::InvalidParams,
        Self::Internal,
        Self::Busy,
        Self::Unauthorized,
        Self::Misdirected,
        Self::Forbidden,
        Self::NotFound,
        Self::Conflict,
        Self::TooLarge,
        Self::Syncing,
        Self::Quarantined,
        Self::Ticket,
        Self::Unreachable,
        Self::Stopping,
        Self::Storage,
        Self::Ambiguous,
        Self::Clock,
    ];

    const fn row(self) -> Row {
        match self {
            Self::Parse => row(-32700, "parse", 400, 2),
            Self::InvalidRequest => row(-32600, "invalidRequest", 400, 1),
            Self::MethodNotFound => row(-32601, "methodNotFound", 404, 1),
            Self::InvalidParams => row(-32602, "invalidParams", 400, 2),
            Self::Internal => row(-32603, "internal", 500, 1),
            Self::Busy => row(-32000, "busy", 429, 6),
            Self::Unauthorized => row(-32001, "unauthorized", 401, 5),
            Self::Misdirected => row(-32002, "misdirected", 421, 5),
            Self::Forbidden => row(-32002, "forbidden", 403, 5),
            Self::NotFound => row(-32003, "notFound", 404, 4),
            Self::Conflict => row(-32004, "conflict", 409, 1),
            Self::TooLarge => row(-32005, "tooLarge", 413, 1),
            Self::Syncing => row(-32006, "syncing", 503, 6),
            Self::Quarantined => row(-32007, "quarantined", 503, 1),
            Self::Ticket => row(-32008, "ticket", 403, 5),
            Self::Unreachable => row(-32009, "unreachable", 502, 3),
            Self::Stopping => row(-32010, "stopping", 503, 3),
            Self::Storage => row(-32011, "storage", 507, 1),
            Self::Ambiguous => row(-32012, "ambiguous", 409, 2),
            Self::Clock => row(-32013, "clock", 503, 1),
        }
    }

    /// Its code in JSON-RPC.
    pub const fn code(self) -> i32 {
        self.row().code
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// The status of HTTP for it, where the answer is none of JSON-RPC.
    pub const fn status(self) -> u16 {
        self.row().status
    }

    /// What a command returns that ends with it.
    pub const fn exit(self) -> u8 {
        self.row().exit
    }

    /// Whether a method answers with it: the others are told before one is called.
    pub(crate) const fn is_of_methods(self) -> bool {
        !matches!(
            self,
            Self::Parse
                | Self::InvalidRequest
                | Self::MethodNotFound
                | Self::Unauthorized
                | Self::Misdirected
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The errors that programs outside this repository know, each with its code and what a command returns.
    const CONTRACT: [(&str, i32, u8); 20] = [
        ("parse", -32700, 2),
        ("invalidRequest", -32600, 1),
        ("methodNotFound", -32601, 1),
        ("invalidParams", -32602, 2),
        ("internal", -32603, 1),
        ("busy", -32000, 6),
        ("unauthorized", -32001, 5),
        ("forbidden", -32002, 5),
        ("misdirected", -32002, 5),
        ("notFound", -32003, 4),
        ("conflict", -32004, 1),
        ("tooLarge", -32005, 1),
        ("syncing", -32006, 6),
        ("quarantined", -32007, 1),
        ("ticket", -32008, 5),
        ("unreachable", -32009, 3),
        ("stopping", -32010, 3),
        ("storage", -32011, 1),
        ("ambiguous", -32012, 2),
        ("clock", -32013, 1),
    ];
    /// Those that are told by the status before a call is parsed.
    const BEFORE: [(&str, u16); 7] = [
        ("parse", 400),
        ("unauthorized", 401),
        ("forbidden", 403),
        ("tooLarge", 413),
        ("misdirected", 421),
        ("busy", 429),
        ("stopping", 503),
    ];

    #[test]
    fn every_kind_is_in_the_contract_as_it_is_here() {
        for (name, code, exit) in CONTRACT {
            let kind = Kind::ALL.iter().find(|kind| kind.name() == name);
            let kind = kind.unwrap_or_else(|| panic!("{name} has no row"));
            assert_eq!((kind.code(), kind.exit()), (code, exit), "{name}");
            assert!((400..600).contains(&kind.status()), "{name}");
        }
        for (name, status) in BEFORE {
            let kind = Kind::ALL.iter().find(|kind| kind.name() == name).unwrap();
            assert_eq!(kind.status(), status, "{name}");
        }
    }
}
