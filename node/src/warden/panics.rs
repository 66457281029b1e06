//! Panics, said where everything else is said.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;

use crate::cause::EventId;
use crate::drive::reason;

/// From now on, panics of this process go to the log, each with its place and the event it was about.
pub fn log_panics() {
    std::panic::set_hook(Box::new(say));
}

fn say(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let why = reason(panic.payload());
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("a nameless thread");
    let ev = EventId::current().map(EventId::get);
    let trace = Backtrace::capture();
    match trace.status() {
        BacktraceStatus::Captured => {
            tracing::error!(thread, place, ev, %why, "panicked\n{trace}");
        }
        _ => tracing::error!(thread, place, ev, %why, "panicked"),
    }
}
