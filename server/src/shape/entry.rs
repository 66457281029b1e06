//! Entities, as programs see them.

use mangrove_node::ReadError;
use mangrove_node::handle::{Entity, Look, Shown};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::text::{Json, KindName, cursor};

/// Counts beyond this are told as text, since many programs cannot hold them otherwise.
const EXACT: i128 = 1 << 53;

/// An entity of which there is something to be seen.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    key: String,
    kind: KindName,
    /// A register's value, a counter's sum as a number or beyond 2^53 as text, or a set's items in canonical order.
    value: Json,
    /// Changes with every write of this key.
    version: String,
    /// Who wrote it last.
    author: String,
    /// With which delta.
    delta: String,
    /// When, on the clock that orders writes.
    hlc: String,
}

/// What was read of a context's state, all of it as it was at one moment.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "{T}")]
pub(crate) struct Page<T> {
    #[serde(flatten)]
    pub(crate) found: T,
    /// Where the feed was at that moment: whoever subscribes after it misses and repeats nothing.
    pub(crate) cursor: String,
    /// How the context is.
    pub(crate) state: &'static str,
}

impl<T> Page<T> {
    pub(crate) fn of(found: T, look: &Look<'_>) -> Result<Self, ReadError> {
        Ok(Self { found, cursor: cursor(look.cursor()?), state: look.facts.state.name() })
    }
}

/// A sum as it is told.
pub(crate) fn count(count: i128) -> Json {
    match i64::try_from(count) {
        Ok(small) if count.abs() <= EXACT => Json::told(&small),
        _ => Json::told(&json!(count.to_string())),
    }
}

/// Items as they are told.
pub(crate) fn items<'i>(items: impl Iterator<Item = &'i [u8]>) -> Vec<Json> {
    items.map(Json::of).collect()
}

impl From<&Entity> for Entry {
    fn from(entity: &Entity) -> Self {
        let value = match &entity.shown {
            Shown::Value(bytes) => Json::of(bytes.as_bytes()),
            Shown::Count(sum) => count(*sum),
            Shown::Items(all) => Json::told(&items(all.iter().map(|item| item.as_bytes()))),
        };
        Self {
            key: entity.key.as_str().to_owned(),
            kind: entity.kind.into(),
            value,
            version: entity.version.to_string(),
            author: entity.author.to_string(),
            delta: entity.stamp.delta.to_string(),
            hlc: entity.stamp.hlc.bits().to_string(),
        }
    }
}
