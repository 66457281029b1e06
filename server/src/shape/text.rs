//! Small things, and how they are written.

use std::borrow::Cow;

use data_encoding::BASE32_NOPAD;
use mangrove_node::Cursor;
use mangrove_protocol::governance::Role;
use mangrove_protocol::op::Kind;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::canonical::shown;
use crate::rpc::Error;

/// Any JSON, as it was written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Json(Box<RawValue>);

impl Json {
    /// What stands for these bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let text = shown(bytes).into_owned();
        // What is shown is JSON.
        Self(RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }

    /// This, as it is told.
    pub(crate) fn told(value: &impl Serialize) -> Self {
        Self(serde_json::value::to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }

    pub(crate) fn get(&self) -> &str {
        self.0.get()
    }
}

impl JsonSchema for Json {
    fn schema_name() -> Cow<'static, str> {
        "Json".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        true.into()
    }

    fn inline_schema() -> bool {
        true
    }
}

/// What an entity is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum KindName {
    /// One value: the last one wins.
    #[default]
    Register,
    /// A sum.
    Counter,
    /// Items.
    Set,
}

impl From<Kind> for KindName {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Register => Self::Register,
            Kind::Counter => Self::Counter,
            Kind::Set => Self::Set,
        }
    }
}

impl From<KindName> for Kind {
    fn from(kind: KindName) -> Self {
        match kind {
            KindName::Register => Self::Register,
            KindName::Counter => Self::Counter,
            KindName::Set => Self::Set,
        }
    }
}

/// What a member may do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum RoleName {
    /// Everything.
    Owner,
    /// Lets others in, and removes those below it.
    Admin,
    /// Writes.
    #[default]
    Writer,
    /// Reads.
    Reader,
}

impl From<Role> for RoleName {
    fn from(role: Role) -> Self {
        match role {
            Role::Owner => Self::Owner,
            Role::Admin => Self::Admin,
            Role::Writer => Self::Writer,
            Role::Reader => Self::Reader,
        }
    }
}

impl From<RoleName> for Role {
    fn from(role: RoleName) -> Self {
        match role {
            RoleName::Owner => Self::Owner,
            RoleName::Admin => Self::Admin,
            RoleName::Writer => Self::Writer,
            RoleName::Reader => Self::Reader,
        }
    }
}

/// Bytes that are no id, written as ids are.
pub(crate) fn digest(bytes: &[u8]) -> String {
    BASE32_NOPAD.encode(bytes).to_ascii_lowercase()
}

/// A place in a feed, opaque to whoever keeps it.
pub(crate) fn cursor(cursor: Cursor) -> String {
    let mut bytes = [0; 16];
    let (generation, next) = bytes.split_at_mut(8);
    generation.copy_from_slice(&cursor.generation.to_be_bytes());
    next.copy_from_slice(&cursor.next.to_be_bytes());
    digest(&bytes)
}

/// A place in a feed that somebody kept, in the field of this name.
pub(crate) fn read_cursor(what: &str, text: &str) -> Result<Cursor, Error> {
    let decoded = BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).ok();
    let bytes: Option<[u8; 16]> = decoded.and_then(|bytes| bytes.try_into().ok());
    let Some(bytes) = bytes else {
        let why = Error::params(what, "it is no cursor");
        return Err(why.hint("a cursor comes with every answer; keep it as it is"));
    };
    let number = u128::from_be_bytes(bytes);
    let half = |number: u128| u64::try_from(number & u128::from(u64::MAX)).unwrap_or(u64::MAX);
    Ok(Cursor { generation: half(number >> 64), next: half(number) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was() {
        for (generation, next) in [(0, 0), (1, u64::MAX), (u64::MAX, 7)] {
            let there = Cursor { generation, next };
            assert_eq!(read_cursor("after", &cursor(there)).unwrap(), there);
        }
        for text in ["", "start", "aaaa", "!!"] {
            let why = read_cursor("after", text).unwrap_err();
            assert!(why.message.contains("`after`"), "{}", why.message);
        }
    }
}
