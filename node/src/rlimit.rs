//! How many files this process may have open: as many as the system lets it.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit on open files towards so many, and says how many there may be.
pub(crate) fn raise(wanted: u64) -> Option<u64> {
    let limits = getrlimit(Resource::Nofile);
    let now = limits.current;
    let target = target(limits, wanted);
    let raised = match target {
        Some(target) => setrlimit(Resource::Nofile, Rlimit { current: Some(target), ..limits }),
        None => Ok(()),
    };
    let reached = match raised {
        Ok(()) => target.or(now),
        Err(why) => {
            tracing::warn!(%why, "the limit on open files stays as it is");
            now
        }
    };
    match reached {
        Some(open_files) if open_files < wanted => {
            let hint = "raise the hard limit: LimitNOFILE= of systemd, or ulimit -Hn";
            tracing::warn!(open_files, wanted, hint, "fewer files may be open than asked for");
        }
        _ => tracing::debug!(open_files = reached, "enough files may be open"),
    }
    reached
}

/// The soft limit to set; `None` if the one there is cannot or need not be raised.
fn target(limits: Rlimit, wanted: u64) -> Option<u64> {
    let most = limits.maximum.map_or(wanted, |hard| hard.min(wanted));
    limits.current.is_some_and(|soft| soft < most).then_some(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(current: Option<u64>, maximum: Option<u64>, expect: Option<u64>) {
        assert_eq!(target(Rlimit { current, maximum }, 64_000), expect);
    }

    #[test]
    fn the_soft_limit_goes_as_far_as_is_wanted_or_let() {
        check(Some(1_024), Some(1_048_576), Some(64_000));
        check(Some(1_024), None, Some(64_000));
        check(Some(1_024), Some(4_096), Some(4_096));
        check(Some(4_096), Some(4_096), None);
        check(Some(100_000), None, None);
        check(None, None, None);
    }

    #[test]
    fn this_process_gets_what_the_system_lets_it_have_and_hears_if_that_is_less() {
        let log = crate::testing::Log::of(tracing::Level::WARN);
        let before = getrlimit(Resource::Nofile);
        let soft = before.current.unwrap_or(1_024).min(1_024);
        setrlimit(Resource::Nofile, Rlimit { current: Some(soft), ..before }).unwrap();
        assert_eq!(raise(soft + 1), Some(soft + 1));
        assert_eq!(getrlimit(Resource::Nofile).current, Some(soft + 1));
        assert_eq!(log.lines("fewer files may be open").len(), 0);
        let hard = before.maximum.unwrap_or(1 << 20);
        raise(hard + 1);
        assert_eq!(log.lines("fewer files may be open than asked for").len(), 1);
        setrlimit(Resource::Nofile, before).unwrap();
    }
}
