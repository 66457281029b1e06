//! What waits where, for people and programs to read: never what it says.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;

use mangrove_protocol::lane::Lane;
use serde_json::{Map, Value, json};

use super::entry::Meta;
use super::queue::LaneView;
use super::state::Alarm;
use crate::cause::EventId;

/// How one inbox stood at one moment, and what waited in it.
#[derive(Debug, Clone)]
pub struct QueueDump {
    name: Arc<str>,
    at: Instant,
    lanes: Vec<(LaneView, Vec<Meta>)>,
}

impl QueueDump {
    pub(super) fn new(name: &Arc<str>, lanes: Vec<(LaneView, Vec<Meta>)>) -> Self {
        Self { name: Arc::clone(name), at: Instant::now(), lanes }
    }

    /// Whose inbox it is.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What waited, lane by lane, each in the order in which it would have been served.
    pub fn waiting(&self) -> impl Iterator<Item = &Meta> {
        self.lanes.iter().flat_map(|(_, waiting)| waiting)
    }

    fn age_ms(&self, since: Instant) -> u64 {
        let age = self.at.saturating_duration_since(since);
        u64::try_from(age.as_millis()).unwrap_or(u64::MAX)
    }

    fn event(&self, meta: &Meta) -> Value {
        json!({
            "id": meta.id.get(),
            "ancestor": meta.ancestor.map(EventId::get),
            "label": meta.label,
            "context": meta.context.map(|context| context.to_string()),
            "peer": meta.peer.map(|peer| peer.to_string()),
            "bytes": meta.bytes,
            "ageMs": self.age_ms(meta.since),
        })
    }

    /// A row for each lane.
    fn rows(&self) -> impl Iterator<Item = Value> {
        let row = |(view, waiting): &(LaneView, Vec<Meta>)| {
            json!({
                "queue": &*self.name,
                "lane": view.lane.name(),
                "depth": view.depth,
                "capacity": view.capacity.events,
                "peak": view.peak,
                "dropped": view.counts.shed,
                "oldestAgeMs": view.oldest.map(|since| self.age_ms(since)),
                "bytes": view.bytes,
                "events": waiting.iter().map(|meta| self.event(meta)).collect::<Vec<_>>(),
            })
        };
        self.lanes.iter().map(row)
    }

    fn text(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "{}: {} waiting", self.name, self.waiting().count())?;
        for meta in self.waiting() {
            let age_ms = self.age_ms(meta.since);
            let Meta { id, lane, label, bytes, .. } = meta;
            write!(text, "  {:<8} {id:>8} {label} {bytes} B {age_ms} ms", lane.name())?;
            if let Some(ancestor) = meta.ancestor {
                write!(text, " from {ancestor}")?;
            }
            if let Some(context) = meta.context {
                write!(text, " context {context}")?;
            }
            if let Some(peer) = meta.peer {
                write!(text, " peer {peer}")?;
            }
            text.push('\n');
        }
        Ok(())
    }
}

/// How all inboxes stood.
#[derive(Debug, Clone, Default)]
pub struct Dump(pub Vec<QueueDump>);

impl Dump {
    /// For programs.
    pub fn json(&self) -> Value {
        json!({ "queues": self.0.iter().flat_map(QueueDump::rows).collect::<Vec<_>>() })
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // A string takes whatever is written into it.
        self.0.iter().try_for_each(|queue| queue.text(&mut text)).ok();
        text
    }
}

/// How much waits in each lane in which something does.
pub(super) fn depths(alarm: &Alarm) -> Value {
    let lanes = Lane::ALL.into_iter().zip(alarm).filter(|(_, depth)| **depth > 0);
    let lanes = lanes.map(|(lane, depth)| (lane.name().to_owned(), json!(depth)));
    Value::Object(lanes.collect::<Map<_, _>>())
}
