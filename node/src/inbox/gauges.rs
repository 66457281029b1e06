//! All inboxes of a node, for whoever wants to see how they stand.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mangrove_protocol::machine::Event;
use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::Outlet;
use super::dump::{Dump, QueueDump};
use super::queue::{Counts, LaneView};

/// An inbox, whatever is sent to it.
trait Seen: Send + Sync {
    fn view(&self) -> (Arc<str>, Vec<LaneView>);
    fn dump(&self) -> QueueDump;
}

impl<E: Event> Seen for Outlet<E> {
    fn view(&self) -> (Arc<str>, Vec<LaneView>) {
        (Arc::clone(&self.name), Self::view(self))
    }

    fn dump(&self) -> QueueDump {
        Self::dump(self)
    }
}

/// All inboxes of a node. Cheap to clone.
#[derive(Clone, Default)]
pub struct Gauges(Arc<Mutex<Vec<Box<dyn Seen>>>>);

impl Gauges {
    /// Shows one more.
    pub fn add<E: Event>(&self, outlet: &Outlet<E>) {
        self.0.lock().push(Box::new(outlet.clone()));
    }

    /// How each lane of each inbox stands, by the name of the inbox.
    pub fn view(&self) -> Vec<(Arc<str>, Vec<LaneView>)> {
        self.0.lock().iter().map(|inbox| inbox.view()).collect()
    }

    /// What waits in each. Each is shown as it is at one moment, and goes on meanwhile.
    pub fn dump(&self) -> Dump {
        Dump(self.0.lock().iter().map(|inbox| inbox.dump()).collect())
    }
}

/// A number of a lane: its name, what it means, and how it is got.
type Number = (&'static str, &'static str, fn(&LaneView) -> u64);

const NUMBERS: [Number; 5] = [
    ("depth", "Events that wait", |view| view.depth as u64),
    ("bytes", "Bytes of events that wait", |view| view.bytes),
    ("peak", "The most events that ever waited", |view| view.peak as u64),
    ("capacity", "Events that may wait", |view| view.capacity.events as u64),
    ("oldest_age_milliseconds", "For how long the oldest event has been waiting", oldest_age_ms),
];

/// What can become of an event, and how often it did.
type Outcome = (&'static str, fn(&Counts) -> u64);

const OUTCOMES: [Outcome; 7] = [
    ("queued", |counts| counts.posted),
    ("coalesced", |counts| counts.coalesced),
    ("shed", |counts| counts.shed),
    ("parked", |counts| counts.parked),
    ("waited", |counts| counts.waited),
    ("refused", |counts| counts.refused),
    ("served", |counts| counts.served),
];

fn oldest_age_ms(view: &LaneView) -> u64 {
    let age = view.oldest.map_or(Duration::ZERO, |since| since.elapsed());
    u64::try_from(age.as_millis()).unwrap_or(u64::MAX)
}

impl Collector for Gauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let inboxes = self.view();
        // A lane that an actor does not know would only be noise.
        let lanes = || {
            let of = |(name, views): &'_ (Arc<str>, Vec<LaneView>)| {
                let used = views.iter().copied().filter(|view| view.peak > 0);
                used.map(|view| (name.to_string(), view)).collect::<Vec<_>>()
            };
            inboxes.iter().flat_map(of).collect::<Vec<_>>()
        };
        for (name, help, number) in NUMBERS {
            let name = format!("node_queue_{name}");
            let mut family = encoder.encode_descriptor(&name, help, None, MetricType::Gauge)?;
            for (queue, view) in lanes() {
                let labels = [("queue", queue.as_str()), ("lane", view.lane.name())];
                ConstGauge::new(number(&view)).encode(family.encode_family(&labels)?)?;
            }
        }
        let help = "What became of events that were sent";
        let name = "node_queue_events";
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (queue, view) in lanes() {
            for (outcome, count) in OUTCOMES {
                let lane = view.lane.name();
                let labels = [("queue", queue.as_str()), ("lane", lane), ("outcome", outcome)];
                let counted = ConstCounter::new(count(&view.counts));
                counted.encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Gauges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.view().iter().map(|(name, _)| name)).finish()
    }
}
