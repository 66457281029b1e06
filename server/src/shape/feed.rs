//! The feed, as programs see it.

use mangrove_node::Cursor;
use mangrove_node::directory::State;
use mangrove_protocol::fold::{Change, Visible};
use mangrove_protocol::id::ContextId;
use mangrove_protocol::op::AppEvent;
use mangrove_protocol::replica::feed;
use schemars::JsonSchema;
use serde::Serialize;

use super::entry::{count, items};
use super::text::{Json, KindName, RoleName, cursor};

/// One entry of a feed.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FeedItem {
    context: String,
    /// From here on everything is news to whoever has seen this.
    cursor: String,
    event: Event,
}

/// What has happened. More types may come: whoever does not know one passes over it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "camelCase")]
pub(crate) enum Event {
    /// A delta was applied that changed or emitted something.
    Change {
        delta: String,
        author: String,
        /// Whether this node wrote it.
        local: bool,
        /// What became visible.
        changes: Vec<Changed>,
        emitted: Vec<Emitted>,
    },
    /// Somebody's role is another.
    Member { member: String, role: Option<RoleName>, by: String },
    /// The context is another way than it was. Not kept in the feed.
    State {
        state: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// State was made anew: read again. Writes of this node that count no more are named.
    Rebuilt { void: Vec<String> },
    /// Something cannot be told: read again.
    Gap { why: &'static str },
}

/// What became visible of an entity.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Changed {
    kind: KindName,
    key: String,
    /// A value or a sum; null if it is gone; of a set what came in and what went.
    value: Json,
}

/// What an application told.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Emitted {
    name: String,
    data: Json,
}

#[derive(Debug, Serialize)]
struct Moved {
    added: Vec<Json>,
    removed: Vec<Json>,
}

impl FeedItem {
    pub(crate) fn of(context: ContextId, at: Cursor, event: Event) -> Self {
        Self { context: context.to_string(), cursor: cursor(at), event }
    }

    /// From where on everything is news to whoever has seen it.
    pub(crate) fn cursor(&self) -> &str {
        &self.cursor
    }
}

impl Event {
    /// What the feed says, as far as it is about keys that begin so. Nothing if none of it is.
    pub(crate) fn of(item: &feed::FeedItem, prefix: &str) -> Option<Self> {
        Some(match item {
            feed::FeedItem::Change { delta, author, local, changes, emitted } => {
                let wanted = |change: &&Change| change.key.as_str().starts_with(prefix);
                let changes = changes.iter().filter(wanted).map(Changed::of).collect::<Vec<_>>();
                let emitted = emitted.iter().map(Emitted::of).collect::<Vec<_>>();
                if changes.is_empty() && emitted.is_empty() {
                    return None;
                }
                let (delta, author) = (delta.to_string(), author.to_string());
                Self::Change { delta, author, local: *local, changes, emitted }
            }
            feed::FeedItem::Member { member, role, by } => Self::Member {
                member: member.to_string(),
                role: role.map(RoleName::from),
                by: by.to_string(),
            },
            feed::FeedItem::Rebuilt { void } => {
                Self::Rebuilt { void: void.iter().map(ToString::to_string).collect() }
            }
        })
    }

    /// How the context is.
    pub(crate) fn state(state: State, why: Option<&str>) -> Self {
        Self::State { state: state.name(), why: why.map(str::to_owned) }
    }

    pub(crate) const fn gap() -> Self {
        Self::Gap { why: "the feed does not go back to this cursor" }
    }
}

impl Changed {
    fn of(change: &Change) -> Self {
        let bytes = |values: &[mangrove_protocol::op::Value]| {
            items(values.iter().map(|value| value.as_bytes()))
        };
        let value = match &change.became {
            Visible::Value(Some(value)) => Json::of(value.as_bytes()),
            Visible::Value(None) => Json::told(&()),
            Visible::Count(sum) => count(*sum),
            Visible::Items { added, removed } => {
                Json::told(&Moved { added: bytes(added), removed: bytes(removed) })
            }
        };
        Self { kind: change.kind.into(), key: change.key.as_str().to_owned(), value }
    }
}

impl Emitted {
    fn of(event: &AppEvent) -> Self {
        Self { name: event.name.clone(), data: Json::of(&event.data) }
    }
}
