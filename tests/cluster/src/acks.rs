//! What was acknowledged, kept outside of all nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use serde_json::Value;

use crate::dump::{Dump, Kind};
use crate::naive::Found;
use crate::rpc::Refusal;
use crate::wrong::Wrong;

/// What the keys of all logged writes begin with.
const PREFIX: &str = "acks/";
/// What is told of each kind of loss.
const TOLD: usize = 10;

/// An acknowledged write.
#[derive(Debug, Clone, PartialEq)]
pub struct Ack {
    /// What was written.
    pub value: Value,
    /// By which node.
    pub via: String,
    /// In which delta.
    pub delta: String,
}

/// What was acknowledged, kept outside of all nodes. Each write has a key of its own, so that each can be
/// looked for.
#[derive(Debug, Default)]
pub struct Acks {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    acked: BTreeMap<String, Ack>,
    /// Writes that were sent and never answered, and by which node they were not.
    doubtful: BTreeMap<String, (Value, String)>,
    nodes: BTreeMap<String, Counts>,
}

/// What one node has to do with.
#[derive(Debug, Default)]
struct Counts {
    acked: u64,
    doubtful: u64,
    in_flight: u64,
    refused: BTreeMap<String, u64>,
    /// The first answers that were neither expected nor harmless.
    surprises: Vec<String>,
}

/// What came of all writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Acknowledged, and there.
    pub acked: usize,
    /// Never answered, and there.
    pub doubtful_there: usize,
    /// Never answered, and not there.
    pub doubtful_gone: usize,
}

impl Acks {
    /// A key that no other write has, of somebody who numbers what they write.
    pub(crate) fn key(writer: &str, number: u64) -> String {
        format!("{PREFIX}{writer}/{number:08}")
    }

    /// A write is about to be sent.
    pub fn send(&self, via: &str) {
        self.change(via, |counts| counts.in_flight += 1);
    }

    /// It was acknowledged.
    pub fn ack(&self, key: &str, ack: Ack) {
        self.change(&ack.via, |counts| {
            counts.in_flight -= 1;
            counts.acked += 1;
        });
        let before = self.state.lock().acked.insert(key.to_owned(), ack);
        assert!(before.is_none(), "{key} was written twice");
        self.changed.notify_all();
    }

    /// It was sent, and no answer came.
    pub fn doubt(&self, key: &str, value: Value, via: &str) {
        self.change(via, |counts| {
            counts.in_flight -= 1;
            counts.doubtful += 1;
        });
        self.state.lock().doubtful.insert(key.to_owned(), (value, via.to_owned()));
    }

    /// The node said no; it will be tried again.
    pub fn refuse(&self, via: &str, refusal: &Refusal) {
        self.change(via, |counts| {
            counts.in_flight -= 1;
            *counts.refused.entry(refusal.kind.clone()).or_default() += 1;
        });
    }

    /// It could not be sent.
    pub fn unsend(&self, via: &str) {
        self.change(via, |counts| counts.in_flight -= 1);
    }

    /// Something came that must not come.
    pub fn surprise(&self, via: &str, what: String) {
        self.change(via, |counts| {
            counts.in_flight -= 1;
            counts.surprises.extend(Some(what).filter(|_| counts.surprises.len() < TOLD));
        });
    }

    /// How many writes were acknowledged.
    pub fn count(&self) -> u64 {
        self.state.lock().acked.len() as u64
    }

    /// How many of them by this node.
    pub fn acked_by(&self, via: &str) -> u64 {
        self.read(via, |counts| counts.acked)
    }

    /// How many writes that were sent to this node were never answered.
    pub fn doubtful_of(&self, via: &str) -> u64 {
        self.read(via, |counts| counts.doubtful)
    }

    /// How many writes are with this node and not answered yet.
    pub fn in_flight(&self, via: &str) -> u64 {
        self.read(via, |counts| counts.in_flight)
    }

    /// How often this node said no, by kind.
    pub fn refused_by(&self, via: &str) -> BTreeMap<String, u64> {
        let state = self.state.lock();
        state.nodes.get(via).map(|counts| counts.refused.clone()).unwrap_or_default()
    }

    /// What came that must not come, from any node.
    pub fn surprises(&self) -> Vec<String> {
        let state = self.state.lock();
        let told = |(via, counts): (&String, &Counts)| {
            counts.surprises.iter().map(|what| format!("{via}: {what}")).collect::<Vec<_>>()
        };
        state.nodes.iter().flat_map(told).collect()
    }

    /// Waits until this node has acknowledged so many writes.
    ///
    /// # Panics
    ///
    /// If it has not `within` that time.
    #[track_caller]
    pub fn wait_for(&self, via: &str, count: u64, within: Duration) {
        let acked = |state: &State| state.nodes.get(via).map_or(0, |counts| counts.acked);
        self.wait(&format!("{via} has acknowledged {count} writes"), within, |it| {
            acked(it) >= count
        });
    }

    /// Waits until so many writes were acknowledged, by whomever.
    ///
    /// # Panics
    ///
    /// If there are fewer `within` that time.
    #[track_caller]
    pub fn wait_for_all(&self, count: u64, within: Duration) {
        let what = format!("{count} writes are acknowledged");
        self.wait(&what, within, |state| state.acked.len() as u64 >= count);
    }

    /// Looks whether all that was acknowledged is there, as it was written, and nothing that nobody wrote.
    pub fn check(&self, dump: &Dump) -> Result<Tally, Wrong> {
        let state = self.state.lock();
        let mut there = BTreeMap::new();
        for ((kind, key), shown) in &dump.entries {
            if *kind == Kind::Register && key.starts_with(PREFIX) {
                there.insert(key.as_str(), shown);
            }
        }
        let mut wrong = Findings::default();
        for (key, ack) in &state.acked {
            match there.remove(key.as_str()) {
                None => wrong.note("acknowledged and lost", format!("{key}: {ack:?}")),
                Some(shown) if shown.value != ack.value || shown.delta != ack.delta => {
                    wrong.note("not as acknowledged", format!("{key}: {ack:?}, shown {shown}"));
                }
                Some(_) => {}
            }
        }
        let mut doubtful_there = 0;
        for (key, (value, via)) in &state.doubtful {
            match there.remove(key.as_str()) {
                Some(shown) if shown.value != *value => {
                    wrong.note("not as written", format!("{key} by {via}: shown {shown}"));
                }
                Some(_) => doubtful_there += 1,
                None => {}
            }
        }
        for (key, shown) in there {
            wrong.note("written by nobody", format!("{key}: {shown}"));
        }
        let doubtful_gone = state.doubtful.len() - doubtful_there;
        wrong.verdict(Tally { acked: state.acked.len(), doubtful_there, doubtful_gone })
    }

    /// Looks whether each delta that was acknowledged is among those of a home.
    pub fn check_deltas(&self, found: &Found) -> Result<(), Wrong> {
        let there = found.written.iter().map(|it| it.delta.to_string()).collect::<BTreeSet<_>>();
        let mut wrong = Findings::default();
        for (key, ack) in &self.state.lock().acked {
            if !there.contains(&ack.delta) {
                wrong.note("in no delta", format!("{key}: {ack:?}"));
            }
        }
        wrong.verdict(())
    }

    fn change(&self, via: &str, change: impl FnOnce(&mut Counts)) {
        change(self.state.lock().nodes.entry(via.to_owned()).or_default());
        self.changed.notify_all();
    }

    fn read(&self, via: &str, read: impl FnOnce(&Counts) -> u64) -> u64 {
        self.state.lock().nodes.get(via).map_or(0, read)
    }

    #[track_caller]
    fn wait(&self, what: &str, within: Duration, met: impl Fn(&State) -> bool) {
        let until = Instant::now() + within;
        let mut state = self.state.lock();
        let timed_out = self.changed.wait_while_until(&mut state, |it| !met(it), until).timed_out();
        assert!(!timed_out || met(&state), "not within {within:?}: {what}\n  {:?}", state.nodes);
    }
}

/// What is wrong, by what is wrong with it.
#[derive(Default)]
struct Findings(BTreeMap<&'static str, Vec<String>>);

impl Findings {
    fn note(&mut self, what: &'static str, which: String) {
        self.0.entry(what).or_default().push(which);
    }

    fn verdict<T>(self, good: T) -> Result<T, Wrong> {
        let mut told = String::new();
        for (what, which) in &self.0 {
            told.push_str(&format!("{what}: {}\n", which.len()));
            which.iter().take(TOLD).for_each(|which| told.push_str(&format!("    {which}\n")));
        }
        if told.is_empty() { Ok(good) } else { Err(told.into()) }
    }
}
