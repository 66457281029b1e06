//! What a living node does in a second: `cargo bench -p mangrove-node --bench living`.
//!
//! One node in this process, over a real store that syncs. Each figure is the median of five rounds.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench that cannot prepare its input has nothing to say, and what it says it prints"
)]
#![expect(dead_code, reason = "the house has more rooms than a bench needs")]

#[path = "../src/house.rs"]
mod house;

use std::sync::Arc;
use std::time::{Duration, Instant};

use house::{House, put};
use mangrove_node::Handle;
use mangrove_protocol::id::ContextId;
use tokio::task::JoinSet;

/// As in the program.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const ROUNDS: usize = 5;
const FOR: Duration = Duration::from_secs(2);

struct Round {
    per_second: f64,
    p50: Duration,
    p99: Duration,
}

fn main() {
    let house = House::start(1);
    let context = house.wait(house.node.create("bench")).unwrap();
    println!("{:>8} {:>12} {:>10} {:>10}", "callers", "acked/s", "p50", "p99");
    for callers in [1, 64, 256] {
        let mut rounds: Vec<_> =
            (0..ROUNDS).map(|at| round(&house, context, (callers, at))).collect();
        rounds.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
        let Round { per_second, p50, p99 } = &rounds[ROUNDS / 2];
        println!("{callers:>8} {per_second:>12.0} {p50:>10.2?} {p99:>10.2?}");
    }
}

fn round(house: &House, context: ContextId, (callers, at): (usize, usize)) -> Round {
    let begun = Instant::now();
    let until = begun + FOR;
    let node = Arc::new(house.node.clone());
    let mut took: Vec<Duration> = house.wait(async {
        let mut set = JoinSet::new();
        for caller in 0..callers {
            set.spawn(call(Arc::clone(&node), context, format!("{at}/{caller}"), until));
        }
        set.join_all().await.into_iter().flatten().collect()
    });
    let seconds = begun.elapsed().as_secs_f64();
    took.sort_unstable();
    Round {
        per_second: took.len() as f64 / seconds,
        p50: took[took.len() / 2],
        p99: took[took.len() * 99 / 100],
    }
}

async fn call(
    node: Arc<Handle>,
    context: ContextId,
    name: String,
    until: Instant,
) -> Vec<Duration> {
    let mut took = Vec::new();
    while Instant::now() < until {
        let begun = Instant::now();
        let key = format!("{name}/{}", took.len());
        node.apply(context, put(&key, "a value of some length, as they are")).await.unwrap();
        took.push(begun.elapsed());
    }
    took
}
