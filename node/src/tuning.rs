//! The settings of a node, as its parts want them.

use std::sync::Arc;
use std::time::Duration;

use mangrove_config::node::Node as Settings;

use crate::drive::{self, Clock};
use crate::inbox::{self, Capacity};

const MIB: u64 = 1 << 20;

/// The settings of a node, as its parts want them.
#[derive(Debug)]
pub(crate) struct Tuning<'a>(pub(crate) &'a Settings);

impl Tuning<'_> {
    pub(crate) fn inbox(&self, name: &str) -> inbox::Config {
        let (events, bytes) = (count(self.0.lane_events), self.0.lane_mib.saturating_mul(MIB));
        let capacity = Capacity { events, bytes };
        inbox::Config { name: Arc::from(name), capacity, quiet: count(self.0.deep_queue) }
    }

    pub(crate) fn drive(&self, name: &str) -> drive::Config {
        let bytes = self.0.in_flight_mib.saturating_mul(MIB);
        drive::Config {
            name: Arc::from(name),
            in_flight: count(self.0.in_flight),
            in_flight_bytes: bytes,
            slow: Duration::from_millis(self.0.slow_event_ms),
            clock: Clock::system(),
        }
    }

    pub(crate) const fn drain(&self) -> Duration {
        Duration::from_secs(self.0.drain_secs)
    }
}

fn count(setting: u64) -> usize {
    usize::try_from(setting).unwrap_or(usize::MAX)
}
