//! Threads that write as fast as they are answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle, park_timeout};

use serde_json::json;

use crate::acks::{Ack, Acks};
use crate::edits;
use crate::node::Node;
use crate::pace::Pace;
use crate::rpc::{Refusal, Rpc, RpcError};

/// What a node may say to a write that is in order, and the writer comes again.
const PASSING: [&str; 4] = ["busy", "stopping", "syncing", "http 503"];

/// Threads that write as fast as they are answered, and note every answer. When the node goes away they wait
/// for it to come back. They end when this is stopped or dropped.
#[derive(Debug)]
pub struct Writers {
    acks: Arc<Acks>,
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Writers {
    /// Some that note what they write here. None of them writes yet.
    pub fn new(acks: &Arc<Acks>) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        Self { acks: Arc::clone(acks), is_over, threads: Vec::new() }
    }

    /// So many more, who write to a context by way of this node.
    #[must_use]
    pub fn at(self, node: &Node, context: &str, count: usize) -> Self {
        (0..count).fold(self, |writers, _| writers.calling(node.rpc(), node.name(), context))
    }

    /// One more, who writes by this caller of a node of this name.
    #[must_use]
    pub fn calling(mut self, rpc: Rpc, via: &str, context: &str) -> Self {
        let name = format!("{via}{}", self.threads.len());
        let (acks, is_over) = (Arc::clone(&self.acks), Arc::clone(&self.is_over));
        let (via, context) = (via.to_owned(), context.to_owned());
        let writer = Writer { name: name.clone(), via, context, rpc, acks, is_over };
        let thread = thread::Builder::new().name(format!("writer-{name}"));
        self.threads.push(thread.spawn(move || writer.write()).unwrap());
        self
    }

    /// Ends them, each after the answer that it waits for.
    ///
    /// # Panics
    ///
    /// If one of them met with something that must not come.
    #[track_caller]
    pub fn stop(mut self) {
        let ended = self.end();
        assert!(ended, "a writer panicked");
        let surprises = self.acks.surprises();
        assert!(surprises.is_empty(), "writers met with\n    {}", surprises.join("\n    "));
    }

    /// Whether all have ended as they should.
    fn end(&mut self) -> bool {
        self.is_over.store(true, Ordering::Relaxed);
        let threads = std::mem::take(&mut self.threads);
        threads.iter().for_each(|thread| thread.thread().unpark());
        threads.into_iter().filter_map(|thread| thread.join().err()).count() == 0
    }
}

impl Drop for Writers {
    fn drop(&mut self) {
        self.end();
    }
}

struct Writer {
    name: String,
    via: String,
    context: String,
    rpc: Rpc,
    acks: Arc<Acks>,
    is_over: Arc<AtomicBool>,
}

impl Writer {
    fn write(&self) {
        for number in 0.. {
            if !self.write_one(number) {
                return;
            }
        }
    }

    /// Writes until it is known what became of it, or never will be; whether there is to be another.
    fn write_one(&self, number: u64) -> bool {
        let (key, value) = (Acks::key(&self.name, number), json!([self.name, number]));
        let mut pace = Pace::slowing();
        while !self.is_over.load(Ordering::Relaxed) {
            self.acks.send(&self.via);
            match self.rpc.apply(&self.context, &[edits::put(&key, value.clone())]) {
                Ok(applied) => {
                    let (via, delta) = (self.via.clone(), applied.delta);
                    self.acks.ack(&key, Ack { value, via, delta });
                    return true;
                }
                Err(RpcError::Lost(_)) => {
                    self.acks.doubt(&key, value, &self.via);
                    return true;
                }
                Err(RpcError::Refused(refusal)) if is_passing(&refusal) => {
                    self.acks.refuse(&self.via, &refusal);
                    refusal.retry_after.map_or_else(|| pace.wait(), park_timeout);
                }
                Err(RpcError::Unreachable(_)) => {
                    self.acks.unsend(&self.via);
                    pace.wait();
                }
                Err(why) => {
                    self.acks.surprise(&self.via, format!("{key}: {why}"));
                    return false;
                }
            }
        }
        false
    }
}

/// Whether what was refused now may be taken later.
fn is_passing(refusal: &Refusal) -> bool {
    PASSING.contains(&refusal.kind.as_str())
}
