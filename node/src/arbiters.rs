//! The arbiters: one thread each, and what runs on them by name.

use std::ffi::CString;
use std::io;

use actix::{Arbiter, ArbiterHandle};

/// Threads of an arbiter's own for what blocks.
const BLOCKING: usize = 4;

/// Contexts are worked on by at most so many threads, unless more are asked for.
const MOST_CONTEXT_THREADS: usize = 4;

/// The arbiters of a node.
#[derive(Debug)]
pub struct Arbiters {
    all: Vec<(String, Arbiter)>,
    contexts: usize,
}

impl Arbiters {
    /// Starts them: `arb-network`, `arb-delta`, `arb-sync`, and `arb-context-0` up to as many as asked for; with 0,
    /// as many as there are cores, at most 4. On a thread that is an actix system.
    pub fn start(context_threads: u64) -> io::Result<Self> {
        let contexts = match usize::try_from(context_threads).unwrap_or(usize::MAX) {
            0 => std::thread::available_parallelism()?.get().min(MOST_CONTEXT_THREADS),
            asked => asked,
        };
        let context = (0..contexts).map(|at| format!("arb-context-{at}"));
        let named = ["arb-network", "arb-delta", "arb-sync"].map(str::to_owned);
        let names = named.into_iter().chain(context);
        let all =
            names.map(|name| Ok((name.clone(), arbiter(name)?))).collect::<io::Result<_>>()?;
        Ok(Self { all, contexts })
    }

    /// The one of this name.
    pub fn get(&self, name: &str) -> io::Result<ArbiterHandle> {
        let found = self.all.iter().find(|(known, _)| known == name);
        let found = found.map(|(_, arbiter)| arbiter.handle());
        found.ok_or_else(|| io::Error::other(format!("there is no arbiter {name}")))
    }

    /// Those that work on contexts.
    pub fn for_contexts(&self) -> io::Result<Vec<ArbiterHandle>> {
        (0..self.contexts).map(|at| self.get(&format!("arb-context-{at}"))).collect()
    }

    /// How many work on contexts.
    pub const fn contexts(&self) -> usize {
        self.contexts
    }

    /// Tells them to end. Whatever still runs on them is dropped; one that is stuck is left to the end of the
    /// process.
    pub fn stop(&self) {
        for (name, arbiter) in &self.all {
            tracing::trace!(name, running = arbiter.stop(), "told to end");
        }
    }
}

fn arbiter(name: String) -> io::Result<Arbiter> {
    let blocking = name.clone();
    let arbiter = Arbiter::try_with_tokio_rt(move || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().max_blocking_threads(BLOCKING).thread_name(blocking).build()
    })?;
    // An arbiter names its thread by itself, and not so that anybody would recognise it.
    arbiter.spawn_fn(move || call(&name));
    Ok(arbiter)
}

/// Gives this thread a name, as tools of the system show it. One without is no worse.
#[cfg(target_os = "linux")]
fn call(name: &str) {
    if let Ok(name) = CString::new(name) {
        rustix::thread::set_name(&name).ok();
    }
}

#[cfg(not(target_os = "linux"))]
fn call(_name: &str) {}
