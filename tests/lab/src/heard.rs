//! What a process has said and how it fares, shared by those who listen and those who wait.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use serde_json::Value;

/// Events that wait to be asked for. When there are as many, listening stops, and the process has to
/// wait when its pipe is full: it is slowed down, and nothing that it says is lost.
const EVENTS: usize = 65_536;
/// Lines that are remembered to be told, asked for or not; older ones are forgotten.
const SAID: usize = 1_024;
/// Lines of the standard error that are remembered; older ones are forgotten.
const COMPLAINTS: usize = 200;
/// Nobody waits longer, and no clock overflows.
const LONGEST: Duration = Duration::from_hours(24);

/// What a process has said and how it fares.
#[derive(Debug)]
pub(crate) struct Heard {
    state: Mutex<State>,
    changed: Condvar,
}

/// How a process has ended.
#[derive(Clone, Debug)]
pub(crate) struct End {
    /// Its exit code; none if a signal ended it.
    pub(crate) code: Option<i32>,
    /// The same in words.
    pub(crate) how: String,
}

/// What can be told of a process.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) waiting: usize,
    pub(crate) said: Vec<String>,
    pub(crate) complaints: Vec<String>,
    pub(crate) end: Option<End>,
}

#[derive(Debug, Default)]
struct State {
    /// Events with their numbers, which grow.
    waiting: VecDeque<(u64, Value)>,
    next: u64,
    said: VecDeque<String>,
    complaints: VecDeque<String>,
    end: Option<End>,
    speechless: bool,
    complained: bool,
    deaf: bool,
}

impl Heard {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::default(), changed: Condvar::new() }
    }

    /// Takes a line of the standard output in; waits while there are too many events.
    pub(crate) fn say(&self, line: String) {
        let event = serde_json::from_str(&line);
        let mut state = self.state.lock();
        while event.is_ok() && state.waiting.len() >= EVENTS && !state.deaf {
            self.changed.wait(&mut state);
        }
        keep(&mut state.said, line, SAID);
        if let Ok(event) = event {
            let number = state.next;
            state.next += 1;
            state.waiting.push_back((number, event));
        }
        self.changed.notify_all();
    }

    /// Takes a line of the standard error in.
    pub(crate) fn complain(&self, line: String) {
        keep(&mut self.state.lock().complaints, line, COMPLAINTS);
    }

    /// The standard output is closed.
    pub(crate) fn fall_silent(&self) {
        self.change(|state| state.speechless = true);
    }

    /// The standard error is closed.
    pub(crate) fn stop_complaining(&self) {
        self.change(|state| state.complained = true);
    }

    /// The process has ended.
    pub(crate) fn end(&self, end: End) {
        self.change(|state| state.end = Some(end));
    }

    /// Nobody will ask for events any more; whoever waits for room need not.
    pub(crate) fn close_ears(&self) {
        self.change(|state| {
            state.deaf = true;
            state.waiting.clear();
        });
    }

    /// The first event that is `wanted`, now or until `timeout` is over; the others stay.
    pub(crate) fn take(
        &self,
        timeout: Duration,
        mut wanted: impl FnMut(&Value) -> bool,
    ) -> Option<Value> {
        let until = deadline(timeout);
        let mut from = 0;
        let mut state = self.state.lock();
        loop {
            if let Some(event) = state.take(&mut from, &mut wanted) {
                self.changed.notify_all();
                return Some(event);
            }
            if state.speechless || self.changed.wait_until(&mut state, until).timed_out() {
                return state.take(&mut from, &mut wanted);
            }
        }
    }

    /// How the process has ended, if it does until `timeout` is over.
    pub(crate) fn wait_for_end(&self, timeout: Duration) -> Option<End> {
        self.wait_until(timeout, |state| state.end.is_some());
        self.state.lock().end.clone()
    }

    /// Waits until both outputs are closed, or for no longer than `timeout`.
    pub(crate) fn wait_for_silence(&self, timeout: Duration) {
        self.wait_until(timeout, |state| state.speechless && state.complained);
    }

    /// Whether the standard output is closed.
    pub(crate) fn is_silent(&self) -> bool {
        self.state.lock().speechless
    }

    /// What there is to tell.
    pub(crate) fn told(&self) -> Told {
        let state = self.state.lock();
        Told {
            waiting: state.waiting.len(),
            said: state.said.iter().cloned().collect(),
            complaints: state.complaints.iter().cloned().collect(),
            end: state.end.clone(),
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock());
        self.changed.notify_all();
    }

    fn wait_until(&self, timeout: Duration, met: impl Fn(&State) -> bool) {
        let mut state = self.state.lock();
        self.changed.wait_while_until(&mut state, |state| !met(state), deadline(timeout));
    }
}

impl State {
    /// Takes the first wanted event out that was not looked at before, which `from` remembers.
    fn take(&mut self, from: &mut u64, wanted: &mut impl FnMut(&Value) -> bool) -> Option<Value> {
        let start = self.waiting.partition_point(|(number, _)| number < from);
        let found = self.waiting.range(start..).position(|(_, event)| wanted(event));
        *from = self.next;
        self.waiting.remove(start + found?).map(|(_, event)| event)
    }
}

fn keep(lines: &mut VecDeque<String>, line: String, most: usize) {
    if lines.len() >= most {
        lines.pop_front();
    }
    lines.push_back(line);
}

fn deadline(timeout: Duration) -> Instant {
    Instant::now() + timeout.min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::{EVENTS, Heard};
    use serde_json::json;
    use std::sync::Arc;
    use std::time::Duration;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn an_event_that_was_passed_over_is_found_later() {
        let heard = Heard::new();
        (0..3).for_each(|n| heard.say(format!("{{\"n\":{n}}}")));
        assert_eq!(heard.take(Duration::ZERO, |it| it["n"] == 2), Some(json!({"n": 2})));
        assert_eq!(heard.take(Duration::ZERO, |it| it["n"] == 0), Some(json!({"n": 0})));
        assert_eq!(heard.take(Duration::ZERO, |_| true), Some(json!({"n": 1})));
        assert_eq!(heard.take(Duration::ZERO, |_| true), None);
    }

    #[test]
    fn what_is_no_json_is_told_and_is_no_event() {
        let heard = Heard::new();
        heard.say("hello".to_owned());
        assert_eq!(heard.take(Duration::ZERO, |_| true), None);
        assert_eq!(heard.told().said, ["hello"]);
    }

    #[test]
    fn whoever_says_too_much_waits_and_nothing_is_lost() {
        let heard = Arc::new(Heard::new());
        let speaker = Arc::clone(&heard);
        let speak = move || {
            (0..=EVENTS).for_each(|n| speaker.say(n.to_string()));
            speaker.fall_silent();
        };
        let speaking = std::thread::Builder::new().name("speaker".to_owned()).spawn(speak).unwrap();
        heard.wait_until(LONG, |state| state.waiting.len() == EVENTS);
        assert!(!heard.is_silent());
        assert_eq!(heard.take(LONG, |_| true), Some(json!(0)));
        speaking.join().unwrap();
        assert_eq!(heard.take(LONG, |it| *it == json!(EVENTS)), Some(json!(EVENTS)));
    }
}
