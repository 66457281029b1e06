//! Runs campaigns of the simulator: many seeds, or one of them in detail.
//!
//! It takes what it needs from the environment: `SEED` for one seed, `SEEDS` for how many, `FROM` for
//! the first, `SECONDS` for how long at most, `BUG` for a bug to plant, `JOBS` for threads.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use mangrove_sim::bug::Bug;
use mangrove_sim::campaign::{self, Report};
use mangrove_sim::trace::Detail;

/// Failures after which it makes no sense to go on.
const FAILURES_SHOWN: usize = 5;

struct Wanted {
    from: u64,
    seeds: u64,
    seconds: Option<u64>,
    bug: Option<Bug>,
    jobs: usize,
}

fn main() -> io::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let bug = match setting("BUG") {
        None => None,
        Some(name) => {
            let Some(bug) = Bug::named(&name) else {
                let names = Bug::all().map(|bug| bug.to_string()).collect::<Vec<_>>();
                writeln!(out, "no bug is named {name}; there are {}", names.join(", "))?;
                return Ok(ExitCode::from(2));
            };
            Some(bug)
        }
    };
    if let Some(seed) = number("SEED") {
        return replay(seed, bug, &mut out);
    }
    let wanted = Wanted {
        from: number("FROM").unwrap_or(1),
        seeds: number("SEEDS").unwrap_or(1_000),
        seconds: number("SECONDS"),
        bug,
        jobs: number("JOBS").and_then(|jobs| usize::try_from(jobs).ok()).unwrap_or_else(cores),
    };
    campaign(&wanted, &mut out)
}

fn setting(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the edge of the program takes its settings here"
    )]
    let value = env::var(name);
    value.ok().filter(|value| !value.is_empty())
}

fn number(name: &str) -> Option<u64> {
    setting(name)?.parse().ok()
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// One seed, with the last things that happened in it.
fn replay(seed: u64, bug: Option<Bug>, out: &mut impl Write) -> io::Result<ExitCode> {
    let outcome = campaign::run_once(seed, bug, Detail::Lines);
    outcome.trace.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    writeln!(out, "{:#?}", mangrove_sim::settings::Settings::draw(seed))?;
    write!(out, "{}", outcome.tally)?;
    let Some(failure) = campaign::run(seed, bug).failure else {
        writeln!(out, "seed {seed} breaks no promise")?;
        return Ok(ExitCode::SUCCESS);
    };
    writeln!(out, "{failure}")?;
    Ok(ExitCode::FAILURE)
}

fn campaign(wanted: &Wanted, out: &mut impl Write) -> io::Result<ExitCode> {
    let began = Stopwatch::start();
    let next = AtomicU64::new(wanted.from);
    let mut report = Report::default();
    let mut panicked = 0;
    thread::scope(|scope| {
        let jobs = (0..wanted.jobs).map(|_| scope.spawn(|| work(wanted, &next, &began)));
        for job in jobs.collect::<Vec<_>>() {
            match job.join() {
                Ok(part) => report.merge(part),
                Err(_) => panicked += 1,
            }
        }
    });
    let ms = began.elapsed().as_millis().max(1);
    write!(out, "{}", report.tally)?;
    let rate = u128::from(report.seeds) * 10_000 / ms;
    writeln!(out, "{} seeds in {ms} ms: {}.{} a second", report.seeds, rate / 10, rate % 10)?;
    let mut failures = report.failures.clone();
    failures.sort_by_key(|failure| failure.seed);
    failures.iter().try_for_each(|failure| writeln!(out, "{failure}"))?;
    let shortfalls = report.shortfalls();
    let judged = if wanted.bug.is_some() { &[][..] } else { &shortfalls[..] };
    judged.iter().try_for_each(|shortfall| writeln!(out, "too seldom: {shortfall}"))?;
    if panicked > 0 {
        writeln!(out, "{panicked} of {} jobs panicked; JOBS=1 shows at which seed", wanted.jobs)?;
    }
    let passed = failures.is_empty() && judged.is_empty() && report.seeds > 0 && panicked == 0;
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn work(wanted: &Wanted, next: &AtomicU64, began: &Stopwatch) -> Report {
    let mut report = Report::default();
    while report.failures.len() < FAILURES_SHOWN {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        let late = wanted.seconds.is_some_and(|most| began.elapsed() > Duration::from_secs(most));
        if late || seed - wanted.from >= wanted.seeds {
            break;
        }
        report.add(campaign::run(seed, wanted.bug));
    }
    report
}

/// How long a campaign takes; nothing in it depends on that.
#[expect(clippy::disallowed_types, reason = "measures the campaign, not anything within it")]
struct Stopwatch(std::time::Instant);

#[expect(clippy::disallowed_methods, reason = "measures the campaign, not anything within it")]
#[expect(clippy::disallowed_types, reason = "measures the campaign, not anything within it")]
impl Stopwatch {
    fn start() -> Self {
        Self(std::time::Instant::now())
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
