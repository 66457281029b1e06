//! The named bugs: each is caught within a bounded number of seeds, and the seed alone shows it again.

use mangrove_sim::bug::Bug;
use mangrove_sim::campaign;

/// Seeds within which every bug must be caught.
const SEEDS: u64 = 200;

/// The first seed that catches a bug does so again, at the same moment and for the same reason, and
/// without the bug it finds nothing.
#[track_caller]
fn check(name: &str) {
    let bug = Bug::named(name).unwrap();
    let failure = campaign::hunt(bug, 1..=SEEDS);
    let failure = failure.unwrap_or_else(|| panic!("{name} is not caught within {SEEDS} seeds"));
    println!("{failure}");
    let again = campaign::hunt(bug, [failure.seed]).unwrap();
    assert_eq!(again.to_string(), failure.to_string());
    assert!(failure.to_string().contains(&format!("make sim SEED={}", failure.seed)));
    assert!(campaign::run(failure.seed, None).failure.is_none());
}

macro_rules! caught {
    ($($test:ident: $name:literal,)+) => {
        $(
            #[test]
            fn $test() {
                check($name);
            }
        )+

        #[test]
        fn no_bug_is_forgotten() {
            let all: Vec<_> = Bug::all().map(|bug| bug.to_string()).collect();
            assert_eq!(all, [$($name),+]);
        }
    };
}

caught! {
    a_skipped_parent_check_is_caught: "SkipParentCheck",
    ties_broken_by_arrival_are_caught: "TieByArrival",
    a_forgotten_outbox_is_caught: "ForgetOutbox",
    a_stale_root_is_caught: "StaleRoot",
    a_delta_in_the_wrong_context_is_caught: "WrongContext",
    an_incarnation_used_twice_is_caught: "ReuseIncarnation",
    an_ignored_cut_off_is_caught: "IgnoreCutOffs",
    state_that_is_not_made_anew_is_caught: "SkipRebuild",
    waiting_for_what_is_beyond_is_caught: "AwaitBeyond",
    a_key_for_one_who_was_removed_is_caught: "SealToRemoved",
    writing_under_a_key_of_others_is_caught: "WriteToAnybody",
    writing_by_an_old_right_is_caught: "KeepAuthority",
    an_acknowledgement_before_the_sync_is_caught: "AckBeforeSync",
    a_start_before_the_sync_is_caught: "OpenBeforeSync",
    a_clean_end_that_comes_back_is_caught: "CleanForEver",
}
