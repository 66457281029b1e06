//! The one table from what went wrong to what a program sees of it.

use mangrove_node::{Fault, RETRY};
use mangrove_protocol::effect::Undecided;
use mangrove_protocol::governance::Refusal;
use mangrove_protocol::request;
use serde_json::{Value, json};

/// What went wrong, as far as a caller can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum Kind {
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

impl Kind {
    /// All kinds.
    pub(crate) const ALL: [Self; 20] = [
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

    /// Its code, its name, and the status of HTTP where no call was parsed.
    const fn row(self) -> (i32, &'static str, u16) {
        match self {
            Self::Parse => (-32700, "parse", 400),
            Self::InvalidRequest => (-32600, "invalidRequest", 400),
            Self::MethodNotFound => (-32601, "methodNotFound", 404),
            Self::InvalidParams => (-32602, "invalidParams", 400),
            Self::Internal => (-32603, "internal", 500),
            Self::Busy => (-32000, "busy", 429),
            Self::Unauthorized => (-32001, "unauthorized", 401),
            Self::Misdirected => (-32002, "misdirected", 421),
            Self::Forbidden => (-32002, "forbidden", 403),
            Self::NotFound => (-32003, "notFound", 404),
            Self::Conflict => (-32004, "conflict", 409),
            Self::TooLarge => (-32005, "tooLarge", 413),
            Self::Syncing => (-32006, "syncing", 503),
            Self::Quarantined => (-32007, "quarantined", 503),
            Self::Ticket => (-32008, "ticket", 403),
            Self::Unreachable => (-32009, "unreachable", 502),
            Self::Stopping => (-32010, "stopping", 503),
            Self::Storage => (-32011, "storage", 507),
            Self::Ambiguous => (-32012, "ambiguous", 409),
            Self::Clock => (-32013, "clock", 503),
        }
    }

    /// Its code in JSON-RPC.
    pub(crate) const fn code(self) -> i32 {
        self.row().0
    }

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        self.row().1
    }

    /// The status of HTTP for it, where the answer is none of JSON-RPC.
    pub(crate) const fn status(self) -> u16 {
        self.row().2
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

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Error {
    /// What a program goes by.
    pub kind: Kind,
    /// What a person is told.
    pub message: String,
    /// What they could do.
    pub hint: Option<&'static str>,
    /// After how long it is worth another try.
    pub retry_after_ms: Option<u64>,
}

impl Error {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, retry_after_ms: None }
    }

    pub(crate) fn hint(self, hint: &'static str) -> Self {
        Self { hint: Some(hint), ..self }
    }

    fn again(self) -> Self {
        Self { retry_after_ms: u64::try_from(RETRY.as_millis()).ok(), ..self }
    }

    pub(crate) fn params(what: &str, why: impl std::fmt::Display) -> Self {
        Self::new(Kind::InvalidParams, format!("`{what}`: {why}"))
    }

    /// As it is told.
    pub(crate) fn json(&self) -> Value {
        let (code, kind) = (self.kind.code(), self.kind.name());
        let mut data = json!({ "kind": kind });
        if let Some(object) = data.as_object_mut() {
            object.extend(self.hint.map(|hint| ("hint".to_owned(), hint.into())));
            let retry = self.retry_after_ms.map(|ms| ("retryAfterMs".to_owned(), ms.into()));
            object.extend(retry);
        }
        json!({ "code": code, "message": self.message, "data": data })
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let message = fault.to_string();
        let kind = match &fault {
            Fault::Busy => return Self::new(Kind::Busy, message).again(),
            Fault::Stopping => Kind::Stopping,
            Fault::Replica => Kind::Forbidden,
            Fault::NoContext(_) => {
                return Self::new(Kind::NotFound, message)
                    .hint("mangrove context list shows the contexts of this node");
            }
            Fault::TooMany { .. } => {
                return Self::new(Kind::TooLarge, message)
                    .hint("mangrove context forget lets go of one that is not needed");
            }
            Fault::Ambiguous { .. } => {
                return Self::new(Kind::Ambiguous, message).hint("name more of the id");
            }
            Fault::Syncing(_) => return Self::new(Kind::Syncing, message).again(),
            Fault::Quarantined(_) => {
                return Self::new(Kind::Quarantined, message).hint(
                    "mangrove context rebuild makes it anew from the log; see the log of the node",
                );
            }
            Fault::Storage(_) => {
                return Self::new(Kind::Storage, message)
                    .hint("make room on the disk: writes are then taken again by themselves");
            }
            Fault::Unwritten(why) => return Self::of_write(why, message),
            Fault::Undecided(why) => return Self::of_decision(why, message),
            Fault::Ticket(_) => Kind::Ticket,
            Fault::Unreachable(_) => Kind::Unreachable,
            Fault::Invalid { .. } => Kind::InvalidParams,
            _ => Kind::Internal,
        };
        Self::new(kind, message)
    }
}

impl Error {
    fn of_write(why: &request::Fault, message: String) -> Self {
        let kind = match why {
            request::Fault::Busy => return Self::new(Kind::Busy, message).again(),
            request::Fault::Conflict { .. } | request::Fault::RequestReused => Kind::Conflict,
            request::Fault::TooLarge { .. } => Kind::TooLarge,
            request::Fault::Empty => Kind::InvalidParams,
            request::Fault::Clock { .. } | request::Fault::Exhausted => Kind::Clock,
            request::Fault::Forbidden => Kind::Forbidden,
            request::Fault::Syncing => return Self::new(Kind::Syncing, message).again(),
            request::Fault::Stopping => Kind::Stopping,
            _ => Kind::Internal,
        };
        Self::new(kind, message)
    }

    fn of_decision(why: &Undecided, message: String) -> Self {
        let kind = match why {
            Undecided::Refused(why) => match why {
                Refusal::UnknownMember | Refusal::UnknownInvite | Refusal::UnknownLog => {
                    Kind::NotFound
                }
                Refusal::AlreadyMember | Refusal::AlreadySo | Refusal::LastOwner => Kind::Conflict,
                Refusal::TooManyMembers { .. } | Refusal::TooLarge => Kind::TooLarge,
                _ => Kind::Forbidden,
            },
            Undecided::Busy => return Self::new(Kind::Busy, message).again(),
            Undecided::Stopping => Kind::Stopping,
            Undecided::Clock { .. } => Kind::Clock,
            Undecided::Void => Kind::Conflict,
            Undecided::TooLarge | Undecided::Exhausted => Kind::TooLarge,
            _ => Kind::Internal,
        };
        Self::new(kind, message)
    }
}
