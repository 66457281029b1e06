//! The settings of a node, as its parts want them.

use std::sync::Arc;
use std::time::Duration;

use mangrove_config::node::{Mode as ModeSetting, Node as Settings};
use mangrove_config::store::Durability as Setting;
use mangrove_protocol::replica::{Durability, Mode};

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
            clock: Clock::steady(),
        }
    }

    /// The same for one that holds conversations: as many as there may be streams, in both directions.
    pub(crate) fn sessions(&self, name: &str, streams: u64) -> drive::Config {
        let in_flight = count(streams.saturating_mul(3));
        drive::Config { in_flight, in_flight_bytes: u64::MAX, ..self.drive(name) }
    }

    pub(crate) const fn mode(&self) -> Mode {
        match self.0.mode {
            ModeSetting::Full => Mode::Full,
            ModeSetting::Replica => Mode::Replica,
        }
    }

    pub(crate) const fn durability(&self, setting: Setting) -> Durability {
        match setting {
            Setting::Fsync => Durability::Fsync,
            Setting::Buffered => Durability::Buffered,
        }
    }

    pub(crate) const fn drain(&self) -> Duration {
        Duration::from_secs(self.0.drain_secs)
    }
}

fn count(setting: u64) -> usize {
    usize::try_from(setting).unwrap_or(usize::MAX)
}
