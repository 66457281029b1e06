//! How often is asked: by each address, and with each token.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mangrove_config::server::Server as Settings;
use parking_lot::Mutex;

use super::throttle::Throttle;
use crate::rpc::{Error, Kind};

/// Wrong tokens from one address at once, and a second after that.
const GUESSES: (u64, u64) = (20, 1);

/// Counts how often is asked. Cheap to clone; the clones are one.
#[derive(Debug, Clone)]
pub(crate) struct Gate(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    begun: Instant,
    guesses: Mutex<Throttle<IpAddr>>,
    addresses: Mutex<Throttle<IpAddr>>,
    tokens: Mutex<Throttle<Arc<str>>>,
}

impl Gate {
    pub(super) fn new(settings: &Settings) -> Self {
        let Settings { calls_per_address, calls_per_token, .. } = *settings;
        Self(Arc::new(Counts {
            begun: Instant::now(),
            guesses: Mutex::new(Throttle::new(GUESSES.0, GUESSES.1)),
            addresses: Mutex::new(Throttle::new(calls_per_address, calls_per_address)),
            tokens: Mutex::new(Throttle::new(calls_per_token, calls_per_token)),
        }))
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.0.begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// A request comes from an address.
    pub(super) fn knock(&self, from: IpAddr) -> Result<(), Error> {
        let taken = self.0.addresses.lock().take(&from, self.now_ns());
        taken.map_err(|wait| busy("too many requests come from this address", wait))
    }

    /// A wrong token comes from an address. Whoever has a right one is let in whatever others guess from there.
    pub(super) fn guess(&self, from: IpAddr) -> Result<(), Error> {
        let taken = self.0.guesses.lock().take(&from, self.now_ns());
        taken.map_err(|wait| busy("too many wrong tokens came from this address", wait))
    }

    /// Something is asked with a token.
    pub(crate) fn ask(&self, token: &Arc<str>) -> Result<(), Error> {
        let taken = self.0.tokens.lock().take(token, self.now_ns());
        taken.map_err(|wait| busy("too much is asked with this token", wait))
    }

    /// What was asked was so many calls more than one: who asks next may have to wait for that.
    pub(crate) fn owe(&self, token: &Arc<str>, more: usize) {
        let more = u64::try_from(more).unwrap_or(u64::MAX);
        self.0.tokens.lock().count(token, more, self.now_ns());
    }
}

fn busy(why: &str, wait: Duration) -> Error {
    let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
    Error { retry_after_ms: Some(wait_ms), ..Error::new(Kind::Busy, why) }
}
