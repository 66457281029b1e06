//! What went wrong, as callers are told of it.

use mangrove_node::{Fault, RETRY};
use mangrove_protocol::effect::Undecided;
use mangrove_protocol::governance::Refusal;
use mangrove_protocol::request;
use serde_json::{Value, json};

pub(crate) use crate::kind::Kind;

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
    /// By what it is found in the log, if it stands there.
    pub request: Option<String>,
}

impl Error {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, retry_after_ms: None, request: None }
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
            let request = self.request.as_deref();
            object.extend(request.map(|request| ("request".to_owned(), request.into())));
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
            Fault::TooLarge { .. } => Kind::TooLarge,
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
