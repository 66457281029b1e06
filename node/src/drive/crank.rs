//! Driving a machine by hand, one step at a time, with a clock that is told the time.
//!
//! What the machine's actor would do by itself, a test does when it wants to. Work that was begun goes on
//! whenever the test waits.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mangrove_protocol::machine::Machine;
use tokio::time::{Instant, timeout_at};

use super::metrics::Metrics;
use super::step::{Clock, Config, Driver, Stepped};
use super::{Ended, Hands};
use crate::inbox::Inbox;
use crate::stop::Stop;

/// By how much the clock goes on when nothing else does, in milliseconds.
const IDLE_MS: u64 = 10;

/// A machine that is driven by hand.
#[derive(Debug)]
pub struct Crank<M: Machine, H> {
    driver: Driver<M, H>,
    inbox: Inbox<M::Event>,
    stop: Stop,
    now_ms: Arc<AtomicU64>,
    ended: Option<Ended>,
    name: Arc<str>,
}

/// Why what a test waited for did not come about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotReached {
    /// There was no more time.
    TimedOut,
    /// The machine's loop ended.
    Ended(Ended),
}

impl fmt::Display for NotReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("time ran out"),
            Self::Ended(ended) => write!(f, "its loop has ended: {ended:?}"),
        }
    }
}

impl<M: Machine, H: Hands<M>> Crank<M, H> {
    /// A machine whose clock stands at this time. The clock of `config` is not used.
    pub fn new(
        (machine, hands): (M, H),
        inbox: Inbox<M::Event>,
        config: Config,
        now_ms: u64,
    ) -> Self {
        let clock = Arc::new(AtomicU64::new(now_ms));
        let told = Arc::clone(&clock);
        let name = Arc::clone(&config.name);
        let config = Config { clock: Clock::new(move || told.load(Ordering::Relaxed)), ..config };
        let driver = Driver::new(machine, hands, config, &Metrics::default());
        Self { driver, inbox, stop: Stop::new(), now_ms: clock, ended: None, name }
    }

    /// The machine.
    pub const fn machine(&self) -> &M {
        self.driver.machine()
    }

    /// How its loop is told to stop.
    pub const fn stop(&self) -> &Stop {
        &self.stop
    }

    /// What the clock tells.
    pub fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::Relaxed)
    }

    /// Lets time pass.
    pub fn pass(&self, ms: u64) {
        self.now_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// The next thing that the loop would do without waiting.
    pub fn try_crank(&mut self) -> Stepped {
        if let Some(ended) = &self.ended {
            return Stepped::Ended(ended.clone());
        }
        let stepped = self.driver.step(&mut self.inbox, &self.stop);
        if let Stepped::Ended(ended) = &stepped {
            self.ended = Some(ended.clone());
        }
        stepped
    }

    /// Exactly one event, whatever has to be waited for until there is one. Time stands still.
    pub async fn step(&mut self, within: Duration) -> Result<&'static str, NotReached> {
        let end = Instant::now() + within;
        loop {
            match self.try_crank() {
                Stepped::Event(label) => return Ok(label),
                Stepped::Ended(ended) => return Err(NotReached::Ended(ended)),
                Stepped::Nothing => {
                    let waiting = self.driver.wait(&mut self.inbox, &self.stop);
                    timeout_at(end, waiting).await.map_err(|_| NotReached::TimedOut)?;
                }
                Stepped::Deadline | Stepped::Landed => {}
            }
        }
    }

    /// Goes on until something holds. While nothing happens, the clock goes on.
    pub async fn crank_until(
        &mut self,
        mut holds: impl FnMut(&M) -> bool,
        within: Duration,
    ) -> Result<(), NotReached> {
        let end = Instant::now() + within;
        while !holds(self.machine()) {
            if Instant::now() > end {
                return Err(NotReached::TimedOut);
            }
            self.go_on().await?;
        }
        Ok(())
    }

    /// Goes on until nothing has happened for so long by the machine's clock.
    pub async fn settle(&mut self, quiet_ms: u64, within: Duration) -> Result<(), NotReached> {
        let end = Instant::now() + within;
        let mut since_ms = self.now_ms();
        while self.now_ms() < since_ms + quiet_ms {
            if Instant::now() > end {
                return Err(NotReached::TimedOut);
            }
            if self.go_on().await? {
                since_ms = self.now_ms();
            }
        }
        Ok(())
    }

    /// Does the next thing; with nothing to do, lets work and then the clock go on. Says whether it did something.
    async fn go_on(&mut self) -> Result<bool, NotReached> {
        match self.try_crank() {
            Stepped::Event(_) | Stepped::Deadline | Stepped::Landed => return Ok(true),
            Stepped::Ended(ended) => return Err(NotReached::Ended(ended)),
            Stepped::Nothing => {}
        }
        if self.driver.is_waiting() {
            // Work may need the clock to go on: it is given a moment, and then that.
            let moment = Instant::now() + Duration::from_millis(IDLE_MS);
            if let Ok(Some(landed)) = timeout_at(moment, self.driver.landing()).await {
                self.driver.bring_back(landed, &mut self.inbox);
                return Ok(true);
            }
        }
        self.pass(IDLE_MS);
        tokio::task::yield_now().await;
        Ok(false)
    }
}

impl<M: Machine, H> fmt::Display for Crank<M, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the crank of {}", self.name)
    }
}
