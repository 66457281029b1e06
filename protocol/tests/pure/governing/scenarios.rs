//! What comes of what, told in stories: who is a member in the end, and what counts.

use std::collections::BTreeSet;

use mangrove_protocol::governance::{Act, Role, Standing};
use mangrove_protocol::id::{AuthorityId, DeltaId, LogId, Plane};

use super::{Story, epochs, expect, expect_acts, kem, peer, rotation, standing};

use Role::{Admin, Owner, Reader, Writer};

#[test]
fn the_founder_is_an_owner() {
    let story = Story::new("ann");
    let roster = expect(&story, "ann owner");
    expect_acts(&roster, &[story.genesis()], &[]);
    assert_eq!(roster.name(), Some(&b"first"[..]));
    assert_eq!(standing(&roster, story.data_log("ann")), "all");
    assert_eq!(standing(&roster, story.deeds()[0].log), "all");
}

#[test]
fn roles_confer_what_they_may() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Admin);
    story.grant("bob", "carl", Admin);
    story.grant("carl", "dan", Writer);
    story.grant("carl", "eve", Reader);
    let roster = expect(&story, "ann owner, bob admin, carl admin, dan writer, eve reader");
    assert_eq!(standing(&roster, story.data_log("dan")), "all");
    assert_eq!(standing(&roster, story.data_log("eve")), "nothing");
}

#[test]
fn a_second_genesis_founds_nothing_here() {
    let mut story = Story::new("ann");
    story.starts("eve", AuthorityId::ZERO);
    let other = story.act("eve", Act::Genesis { name: b"other".to_vec(), kem: kem() });
    let log = story.log("eve");
    story.starts("eve", other);
    let granted = story.grant("eve", "bob", Admin);
    let roster = expect(&story, "ann owner");
    expect_acts(&roster, &[], &[other, granted]);
    assert_eq!(standing(&roster, log), "nothing");
    assert_eq!(roster.name(), Some(&b"first"[..]));
}

#[test]
fn a_revoked_admins_grants_stand_up_to_the_cut_off_and_fall_beyond() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Admin);
    let within = story.grant("bob", "carl", Writer);
    let beyond = story.grant("bob", "dan", Writer);
    let revoke = story.revoke("ann", "bob", &[within]);
    let roster = expect(&story, "ann owner, carl writer");
    expect_acts(&roster, &[within, revoke], &[beyond]);
    assert_eq!(standing(&roster, story.log("bob")), "within {1}");
    assert_eq!(standing(&roster, story.data_log("bob")), "within {}");
    assert_eq!(standing(&roster, story.data_log("dan")), "nothing");
}

#[test]
fn revoking_an_admin_brings_down_the_grantees_of_his_grantees() {
    let mut story = Story::new("ann");
    let bob = story.grant("ann", "bob", Admin);
    story.grant("bob", "carl", Admin);
    story.grant("carl", "dan", Admin);
    let last = story.grant("dan", "eve", Writer);
    expect(&story, "ann owner, bob admin, carl admin, dan admin, eve writer");
    story.revoke("ann", "bob", &[]);
    let roster = expect(&story, "ann owner");
    expect_acts(&roster, &[bob], &[last]);
}

#[test]
fn a_new_grant_that_overrides_a_revocation_takes_the_member_back() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Writer);
    let (old, kept) = (story.data_log("bob"), story.data("bob", 7));
    let revoke = story.revoke("ann", "bob", &[kept]);
    expect(&story, "ann owner");
    story.grant_again("ann", "bob", Writer, &[revoke]);
    let roster = expect(&story, "ann owner, bob writer");
    assert_eq!(standing(&roster, old), "within {7}");
    assert_eq!(standing(&roster, story.data_log("bob")), "all");
}

#[test]
fn a_new_grant_that_does_not_override_a_revocation_is_cut_too() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Writer);
    story.revoke("ann", "bob", &[]);
    let again = story.grant("ann", "bob", Writer);
    let roster = expect(&story, "ann owner");
    expect_acts(&roster, &[again], &[]);
    assert_eq!(standing(&roster, story.data_log("bob")), "within {}");
}

#[test]
fn a_revocation_concurrent_to_a_new_grant_wins() {
    let mut story = Story::new("ann");
    story.grant("ann", "dan", Admin);
    story.grant("dan", "bob", Writer);
    let first = story.revoke("dan", "bob", &[]);
    story.grant_again("dan", "bob", Writer, &[first]);
    expect(&story, "ann owner, bob writer, dan admin");
    story.revoke("ann", "bob", &[]);
    expect(&story, "ann owner, dan admin");
}

#[test]
fn overriding_a_revocation_restores_nothing_that_fell_with_it() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Admin);
    story.grant("bob", "carl", Writer);
    let revoke = story.revoke("ann", "bob", &[]);
    story.grant_again("ann", "bob", Admin, &[revoke]);
    expect(&story, "ann owner, bob admin");
    story.grant("bob", "carl", Writer);
    expect(&story, "ann owner, bob admin, carl writer");
}

#[test]
fn a_demotion_ends_acts_of_governance_and_not_data() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Admin);
    let (old, within) = (story.log("bob"), story.grant("bob", "carl", Writer));
    let data = story.data_log("bob");
    let beyond = story.grant("bob", "dan", Writer);
    story.set_role("ann", "bob", Writer, &[within]);
    let by_writer = story.grant("bob", "eve", Writer);
    let roster = expect(&story, "ann owner, bob writer, carl writer");
    expect_acts(&roster, &[within], &[beyond, by_writer]);
    assert_eq!(standing(&roster, old), "within {1}");
    assert_eq!(standing(&roster, data), "all");
    assert_eq!(standing(&roster, story.data_log("bob")), "all");
}

#[test]
fn a_demotion_to_reader_ends_data_too() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Writer);
    let (old, kept) = (story.data_log("bob"), story.data("bob", 3));
    story.set_role("ann", "bob", Reader, &[kept]);
    let roster = expect(&story, "ann owner, bob reader");
    assert_eq!(standing(&roster, old), "within {3}");
    assert_eq!(standing(&roster, story.data_log("bob")), "nothing");
}

#[test]
fn a_promotion_keeps_old_logs() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Writer);
    let (old, older) = (story.data_log("bob"), story.log("bob"));
    let rotated = story.rotate("bob", rotation("e1", &[], &[]));
    story.set_role("ann", "bob", Admin, &[]);
    story.grant("bob", "carl", Writer);
    let roster = expect(&story, "ann owner, bob admin, carl writer");
    expect_acts(&roster, &[rotated], &[]);
    assert_eq!(standing(&roster, old), "all");
    assert_eq!(standing(&roster, older), "all");
}

#[test]
fn who_was_demoted_is_promoted_again_by_overriding_the_demotion() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Admin);
    let lowered = story.set_role("ann", "bob", Writer, &[]);
    story.set_role("ann", "bob", Admin, &[]);
    expect(&story, "ann owner, bob writer");
    story.set_role_again("ann", "bob", Admin, (&[], &[lowered]));
    expect(&story, "ann owner, bob admin");
}

#[test]
fn who_was_taken_back_changes_roles_by_overriding_the_revocation() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Writer);
    let revoked = story.revoke("ann", "bob", &[]);
    story.grant_again("ann", "bob", Writer, &[revoked]);
    story.set_role_again("ann", "bob", Reader, (&[], &[revoked]));
    expect(&story, "ann owner, bob reader");
}

#[test]
fn who_was_demoted_and_then_removed_writes_nothing_under_the_old_role() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Admin);
    let (old, kept) = (story.data_log("bob"), story.data("bob", 4));
    story.grant("ann", "dan", Admin);
    story.revoke("dan", "bob", &[]);
    expect(&story, "ann owner, bob admin, dan admin");
    story.set_role("ann", "bob", Writer, &[]);
    // Equals as admins, dan is senior to what bob is now: also for what bob wrote as an admin.
    let roster = expect(&story, "ann owner, dan admin");
    assert_eq!(standing(&roster, old), "within {}");
    story.revoke("dan", "bob", &[kept]);
    let roster = expect(&story, "ann owner, dan admin");
    assert_eq!(standing(&roster, old), "within {4} and within {}");
}

#[test]
fn who_left_is_gone_and_what_he_did_before_stays() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Admin);
    let granted = story.grant("bob", "carl", Writer);
    let (data, kept) = (story.data_log("bob"), story.data("bob", 9));
    let left = story.leave("bob", &[kept]);
    let after = story.grant("bob", "dan", Writer);
    let roster = expect(&story, "ann owner, carl writer");
    expect_acts(&roster, &[granted, left], &[after]);
    assert_eq!(standing(&roster, data), "within {9}");
    assert_eq!(standing(&roster, story.log("bob")), "within {2}");
}

#[test]
fn who_left_is_taken_back_by_overriding_the_leave() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Writer);
    let left = story.leave("bob", &[]);
    story.grant("ann", "bob", Writer);
    expect(&story, "ann owner");
    story.grant_again("ann", "bob", Writer, &[left]);
    expect(&story, "ann owner, bob writer");
}

#[test]
fn a_leave_beyond_a_seniors_cut_off_is_no_leave() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Writer);
    let (log, kept) = (story.data_log("bob"), story.data("bob", 2));
    let left = story.leave("bob", &[]);
    let revoke = story.revoke("ann", "bob", &[kept]);
    let roster = expect(&story, "ann owner");
    expect_acts(&roster, &[revoke], &[left]);
    assert_eq!(standing(&roster, log), "within {2}");
}

#[test]
fn the_last_owner_may_leave() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Admin);
    story.leave("ann", &[]);
    let roster = expect(&story, "bob admin");
    expect_acts(&roster, &[story.genesis()], &[]);
    assert_eq!(roster.name(), Some(&b"first"[..]));
    assert_eq!(standing(&roster, story.deeds()[0].log), "all");
}

#[test]
fn two_lives_that_both_leave_do_not_void_each_other() {
    let mut story = Story::new("ann");
    let authority = story.grant("ann", "bob", Admin);
    let first_log = story.log("bob");
    let granted = story.grant("bob", "carl", Writer);
    let first = story.leave("bob", &[]);
    story.starts("bob", authority);
    let second = story.leave("bob", &[]);
    let roster = expect(&story, "ann owner");
    expect_acts(&roster, &[first, second], &[granted]);
    // The log is clipped where the last act on oneself is, or it could not be told to others.
    assert_eq!(standing(&roster, first_log), "within {2} and within {2}");
}

#[test]
fn one_may_lower_oneself() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Admin);
    let granted = story.grant("bob", "carl", Writer);
    let lowered = story.set_role("bob", "bob", Writer, &[]);
    let roster = expect(&story, "ann owner, bob writer, carl writer");
    expect_acts(&roster, &[granted, lowered], &[]);
}

#[test]
fn a_writer_may_become_a_reader() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Writer);
    let old = story.data_log("bob");
    story.set_role("bob", "bob", Reader, &[]);
    let roster = expect(&story, "ann owner, bob reader");
    assert_eq!(standing(&roster, old), "within {}");
}

#[test]
fn nobody_raises_or_renews_oneself() {
    for role in [Owner, Admin] {
        let mut story = Story::new("ann");
        story.grant("ann", "bob", Admin);
        let raised = story.set_role("bob", "bob", role, &[]);
        let roster = expect(&story, "ann owner, bob admin");
        expect_acts(&roster, &[], &[raised]);
    }
}

#[test]
fn after_lowering_oneself_the_old_authority_does_nothing_more() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Admin);
    let old = story.log("bob");
    story.set_role("bob", "bob", Writer, &[]);
    story.resumes("bob", old);
    let (again, left) = (story.grant("bob", "carl", Writer), story.leave("bob", &[]));
    let roster = expect(&story, "ann owner");
    expect_acts(&roster, &[left], &[again]);
}

#[test]
fn an_incarnation_that_is_not_named_is_cut_at_its_start() {
    let mut story = Story::new("ann");
    let authority = story.grant("ann", "bob", Admin);
    let named = story.grant("bob", "carl", Writer);
    story.starts("bob", authority);
    let unnamed = story.grant("bob", "dan", Writer);
    story.revoke("ann", "bob", &[named]);
    let roster = expect(&story, "ann owner, carl writer");
    expect_acts(&roster, &[named], &[unnamed]);
}

#[test]
fn while_a_named_head_is_missing_only_what_is_above_it_is_void() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Admin);
    story.grant("bob", "carl", Writer);
    let unseen = story.unseen("bob", 2);
    story.grant("bob", "dan", Writer);
    let third = story.grant("bob", "eve", Writer);
    story.revoke("ann", "bob", &[unseen]);
    let roster = expect(&story, "ann owner, carl writer, dan writer");
    expect_acts(&roster, &[], &[third]);
}

#[test]
fn a_missing_head_that_arrives_cuts_the_other_branch() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Admin);
    let first = story.grant("bob", "carl", Writer);
    let wrong = story.grant("bob", "dan", Writer);
    let right = story.fork(first, Act::Rename { name: b"fork".to_vec() });
    story.revoke("ann", "bob", &[right]);
    let roster = expect(&story, "ann owner, carl writer");
    expect_acts(&roster, &[first, right], &[wrong]);
    let without = story.deeds().iter().filter(|deed| deed.id != right).cloned();
    let mut roster = mangrove_protocol::governance::Roster::of(story.context(), without);
    assert_eq!(super::members(&roster), "ann owner, carl writer, dan writer");
    let arrival = story.deeds().iter().find(|deed| deed.id == right).unwrap().clone();
    let judgement = roster.insert(arrival);
    assert!(judgement.changed.contains(&wrong) && judgement.changed.contains(&right));
    assert_eq!(super::members(&roster), "ann owner, carl writer");
}

#[test]
fn a_head_of_another_log_or_place_is_a_missing_one() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Admin);
    let first = story.grant("bob", "carl", Writer);
    let second = story.grant("bob", "dan", Writer);
    let mut cut = story.accepting(&[first]).pop().unwrap();
    cut.heads = vec![(mangrove_protocol::id::Seq::FIRST, second)];
    story.act(
        "ann",
        Act::Revoke { member: peer("bob"), cuts: vec![cut], rotation: rotation("e", &[], &[]) },
    );
    expect(&story, "ann owner, carl writer");
}

#[test]
fn what_does_not_count_still_links_what_does() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Admin);
    let first = story.grant("bob", "carl", Writer);
    let void = story.grant("bob", "gus", Owner);
    let third = story.grant("bob", "dan", Writer);
    story.revoke("ann", "bob", &[third]);
    let roster = expect(&story, "ann owner, carl writer, dan writer");
    expect_acts(&roster, &[first, third], &[void]);
    let (link, others): (Vec<_>, Vec<_>) =
        story.deeds().iter().cloned().partition(|deed| deed.id == void);
    let mut roster = mangrove_protocol::governance::Roster::of(story.context(), others);
    assert_eq!(super::members(&roster), "ann owner, dan writer");
    assert!(roster.extend(link).changed.contains(&first));
    assert_eq!(roster, story.roster());
}

#[test]
fn both_branches_of_a_fork_count_if_both_are_named() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Admin);
    let trunk = story.grant("bob", "carl", Writer);
    let left = story.grant("bob", "dan", Writer);
    let right = story.fork(trunk, Act::Rename { name: b"right".to_vec() });
    let beyond = story.fork(right, Act::Rename { name: b"beyond".to_vec() });
    expect(&story, "ann owner, bob admin, carl writer, dan writer");
    story.revoke("ann", "bob", &[left, right]);
    let roster = expect(&story, "ann owner, carl writer, dan writer");
    expect_acts(&roster, &[trunk, left, right], &[beyond]);
}

#[test]
fn of_two_revocations_only_what_both_leave_counts() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Admin);
    let first = story.grant("bob", "carl", Writer);
    let second = story.grant("bob", "dan", Writer);
    let third = story.grant("bob", "eve", Writer);
    story.grant("ann", "gus", Owner);
    story.revoke("ann", "bob", &[second]);
    expect(&story, "ann owner, carl writer, dan writer, gus owner");
    story.revoke("gus", "bob", &[first]);
    let roster = expect(&story, "ann owner, carl writer, gus owner");
    expect_acts(&roster, &[first], &[second, third]);
    assert_eq!(standing(&roster, story.log("bob")), "within {1} and within {2}");
}

#[test]
fn equals_cannot_remove_each_other() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Admin);
    story.grant("ann", "carl", Admin);
    story.revoke("bob", "carl", &[]);
    story.revoke("carl", "bob", &[]);
    story.set_role("bob", "carl", Writer, &[]);
    expect(&story, "ann owner, bob admin, carl admin");
}

#[test]
fn an_admin_cannot_act_on_an_owner() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Admin);
    story.revoke("bob", "ann", &[]);
    let log = story.log("ann");
    story.close("bob", log, &[]);
    story.set_role("bob", "ann", Reader, &[]);
    expect(&story, "ann owner, bob admin");
}

#[test]
fn a_deeper_admin_cannot_act_on_a_shallower_one_but_the_reverse() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Admin);
    story.grant("ann", "carl", Admin);
    story.grant("carl", "dan", Admin);
    story.revoke("dan", "bob", &[]);
    expect(&story, "ann owner, bob admin, carl admin, dan admin");
    story.revoke("bob", "dan", &[]);
    expect(&story, "ann owner, bob admin, carl admin");
}

#[test]
fn a_later_owner_cannot_act_on_the_founder_but_the_reverse() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Owner);
    story.revoke("bob", "ann", &[]);
    expect(&story, "ann owner, bob owner");
    story.revoke("ann", "bob", &[]);
    expect(&story, "ann owner");
}

#[test]
fn a_writers_grant_is_nothing() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Writer);
    let granted = story.grant("bob", "carl", Writer);
    let revoked = story.revoke("bob", "bob", &[]);
    let roster = expect(&story, "ann owner, bob writer");
    expect_acts(&roster, &[], &[granted, revoked]);
    assert_eq!(standing(&roster, story.data_log("carl")), "nothing");
}

#[test]
fn conferring_more_than_ones_own_role_is_nothing() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Admin);
    let granted = story.grant("bob", "carl", Owner);
    let set = story.set_role("bob", "bob", Owner, &[]);
    let roster = expect(&story, "ann owner, bob admin");
    expect_acts(&roster, &[], &[granted, set]);
}

#[test]
fn an_act_under_somebody_elses_authority_is_nothing() {
    let mut story = Story::new("ann");
    let bobs = story.grant("ann", "bob", Admin);
    story.starts("eve", bobs);
    let granted = story.grant("eve", "carl", Writer);
    let roster = expect(&story, "ann owner, bob admin");
    expect_acts(&roster, &[], &[granted]);
    assert_eq!(standing(&roster, story.log("eve")), "nothing");
}

#[test]
fn a_strangers_acts_wait_for_an_authority() {
    let mut story = Story::new("ann");
    story.starts("eve", DeltaId::from_bytes([9; 32]));
    let acts = [story.grant("eve", "carl", Writer), story.leave("eve", &[])];
    let roster = expect(&story, "ann owner");
    expect_acts(&roster, &[], &acts);
    assert_eq!(standing(&roster, story.data_log("eve")), "unknown");
    assert_eq!(standing(&roster, story.data_log("carl")), "unknown");
}

#[test]
fn an_act_that_confers_nothing_is_no_authority() {
    let mut story = Story::new("ann");
    let named = story.rename("ann", "second");
    story.starts("eve", named);
    let roster = expect(&story, "ann owner");
    assert_eq!(standing(&roster, story.data_log("eve")), "nothing");
}

#[test]
fn an_admin_may_close_a_log_of_a_junior_who_stays() {
    let mut story = Story::new("ann");
    let authority = story.grant("ann", "bob", Admin);
    let (old, within) = (story.log("bob"), story.grant("bob", "carl", Writer));
    let beyond = story.grant("bob", "dan", Writer);
    let (data, kept) = (story.data_log("bob"), story.data("bob", 5));
    story.close("ann", old, &[within]);
    story.close("ann", data, &[kept]);
    story.starts("bob", authority);
    let later = story.grant("bob", "eve", Writer);
    let roster = expect(&story, "ann owner, bob admin, carl writer, eve writer");
    expect_acts(&roster, &[within, later], &[beyond]);
    assert_eq!(standing(&roster, data), "within {5}");
    assert_eq!(standing(&roster, story.data_log("bob")), "all");
}

#[test]
fn an_equals_log_is_not_closed() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Admin);
    story.grant("ann", "dan", Admin);
    let log = story.data_log("bob");
    story.close("dan", log, &[]);
    assert_eq!(standing(&expect(&story, "ann owner, bob admin, dan admin"), log), "all");
}

#[test]
fn one_closes_ones_own_finished_logs() {
    let mut story = Story::new("ann");
    let authority = story.grant("ann", "bob", Admin);
    let (old, within) = (story.log("bob"), story.grant("bob", "carl", Writer));
    let (data, kept) = (story.data_log("bob"), story.data("bob", 5));
    let beyond = story.grant("bob", "dan", Writer);
    story.starts("bob", authority);
    let closed = story.close("bob", old, &[within]);
    story.close("bob", data, &[kept]);
    let roster = expect(&story, "ann owner, bob admin, carl writer");
    expect_acts(&roster, &[within, closed], &[beyond]);
    assert_eq!(standing(&roster, data), "within {5}");
}

#[test]
fn closing_the_log_one_writes_keeps_what_is_before() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Admin);
    let before = story.grant("bob", "carl", Writer);
    let log = story.log("bob");
    let closed = story.close("bob", log, &[]);
    let after = story.grant("bob", "dan", Writer);
    let roster = expect(&story, "ann owner, bob admin, carl writer");
    expect_acts(&roster, &[before, closed], &[after]);
    assert_eq!(standing(&roster, log), "within {2}");
}

#[test]
fn after_lowering_oneself_one_closes_the_data_logs_of_before() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Admin);
    let (data, kept) = (story.data_log("bob"), story.data("bob", 5));
    let (log, granted) = (story.log("bob"), story.grant("bob", "carl", Writer));
    story.set_role("ann", "bob", Writer, &[granted]);
    story.close("bob", data, &[kept]);
    story.close("bob", log, &[]);
    let roster = expect(&story, "ann owner, bob writer, carl writer");
    assert_eq!(standing(&roster, data), "within {5}");
    // What he did as an admin is not his to undo as a writer.
    assert_eq!(standing(&roster, log), "within {1}");
}

#[test]
fn an_overused_ticket_is_still_valid() {
    let mut story = Story::new("ann");
    let invite = story.invite("ann", Writer, 1);
    story.redeem("ann", "bob", Writer, invite);
    story.redeem("ann", "carl", Writer, invite);
    expect(&story, "ann owner, bob writer, carl writer");
}

#[test]
fn a_ticket_outlives_its_issuer() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Admin);
    let invite = story.invite("bob", Writer, 0);
    story.revoke("ann", "bob", &[]);
    story.redeem("ann", "carl", Writer, invite);
    let roster = expect(&story, "ann owner, carl writer");
    assert_eq!(roster.invites().count(), 0);
}

#[test]
fn a_closed_invite_voids_the_grants_that_were_not_accepted() {
    let mut story = Story::new("ann");
    let invite = story.invite("ann", Writer, 0);
    story.grant("ann", "dan", Admin);
    let accepted = story.redeem("dan", "bob", Writer, invite);
    story.redeem("dan", "carl", Writer, invite);
    story.grant("dan", "eve", Writer);
    let roster = expect(&story, "ann owner, bob writer, carl writer, dan admin, eve writer");
    assert_eq!(roster.invites().count(), 1);
    story.close_invite("ann", invite, &[accepted]);
    let roster = expect(&story, "ann owner, bob writer, dan admin, eve writer");
    assert_eq!(roster.invites().count(), 0);
    assert_eq!(standing(&roster, story.data_log("carl")), "nothing");
}

#[test]
fn who_closes_an_invite_voids_strict_juniors_only() {
    let mut story = Story::new("ann");
    let invite = story.invite("ann", Admin, 0);
    story.redeem("ann", "bob", Admin, invite);
    story.redeem("ann", "carl", Admin, invite);
    story.grant("carl", "dan", Admin);
    // bob's own equal, and somebody's junior.
    story.close_invite("bob", invite, &[]);
    story.close_invite("dan", invite, &[]);
    expect(&story, "ann owner, bob admin, carl admin, dan admin");
    story.close_invite("ann", invite, &[]);
    expect(&story, "ann owner");
}

#[test]
fn a_closing_that_falls_opens_the_invite_again() {
    let mut story = Story::new("ann");
    let invite = story.invite("ann", Writer, 0);
    story.grant("ann", "bob", Admin);
    story.redeem("ann", "carl", Writer, invite);
    story.close_invite("bob", invite, &[]);
    expect(&story, "ann owner, bob admin");
    story.revoke("ann", "bob", &[]);
    let roster = expect(&story, "ann owner, carl writer");
    assert_eq!(roster.invites().count(), 1);
}

#[test]
fn a_revocation_that_a_senior_cuts_is_undone_with_all_that_followed() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Admin);
    story.grant("bob", "carl", Admin);
    story.grant("carl", "dan", Admin);
    story.grant("dan", "eve", Writer);
    let revoke = story.revoke("bob", "carl", &[]);
    expect(&story, "ann owner, bob admin");
    // bob's own log is kept up to the grant: the revocation is void, carl and his are back.
    let granted = story.deeds()[2].id;
    story.revoke("ann", "bob", &[granted]);
    let roster = expect(&story, "ann owner, carl admin, dan admin, eve writer");
    expect_acts(&roster, &[granted], &[revoke]);
}

#[test]
fn a_readers_authority_covers_seals_leaving_and_closing() {
    let mut story = Story::new("ann");
    let authority = story.grant("ann", "bob", Reader);
    story.rotate("ann", rotation("e1", &["bob"], &[]));
    let rotate = story.rotate("bob", rotation("e2", &[], &[]));
    let seal = story.seal("bob", "e1", "carl");
    let (named, lowered) = (story.rename("bob", "x"), story.set_role("bob", "bob", Reader, &[]));
    story.starts("bob", authority);
    let old = story.log("bob");
    let closed = story.close("bob", old, &[]);
    let left = story.leave("bob", &[]);
    let roster = expect(&story, "ann owner");
    expect_acts(&roster, &[closed, left], &[rotate, named, lowered, seal]);
    assert_eq!(epochs(&roster, &["e1", "e2"]), "e1 1 ann bob (leaked)");
}

#[test]
fn a_seal_of_a_reader_counts() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Reader);
    story.grant("ann", "carl", Reader);
    story.rotate("ann", rotation("e1", &[], &[]));
    let seal = story.seal("bob", "e1", "carl");
    let roster = expect(&story, "ann owner, bob reader, carl reader");
    expect_acts(&roster, &[seal], &[]);
    assert_eq!(epochs(&roster, &["e1"]), "e1 1 ann bob carl");
}

#[test]
fn replicas_are_as_the_last_word_says() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Admin);
    let [one, two] = ["box1", "box2"].map(peer);
    story.act("ann", Act::Enlist { replica: one });
    story.act("bob", Act::Enlist { replica: two });
    assert_eq!(expect(&story, "ann owner, bob admin").replicas(), BTreeSet::from([one, two]));
    story.act("bob", Act::Delist { replica: one });
    assert_eq!(expect(&story, "ann owner, bob admin").replicas(), BTreeSet::from([two]));
    story.revoke("ann", "bob", &[]);
    assert_eq!(expect(&story, "ann owner").replicas(), BTreeSet::from([one]));
}

#[test]
fn words_at_one_time_are_ordered_by_their_ids() {
    let mut story = Story::new("ann");
    story.act("ann", Act::Enlist { replica: peer("box1") });
    story.act("ann", Act::Delist { replica: peer("box1") });
    let mut deeds = story.deeds().to_vec();
    let (enlist, delist) = (deeds[1].id, deeds[2].id);
    deeds[1].hlc = deeds[2].hlc;
    let roster = mangrove_protocol::governance::Roster::of(story.context(), deeds);
    assert_eq!(roster.replicas().is_empty(), delist > enlist);
}

#[test]
fn the_last_name_that_counts_is_the_name() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Admin);
    story.rename("ann", "second");
    story.rename("bob", "third");
    let roster = expect(&story, "ann owner, bob admin");
    assert_eq!(roster.name(), Some(&b"third"[..]));
    story.revoke("ann", "bob", &[]);
    assert_eq!(expect(&story, "ann owner").name(), Some(&b"second"[..]));
}

#[test]
fn a_leave_that_crosses_a_rotation_leaves_nobody_confined() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Writer);
    story.grant("ann", "carl", Writer);
    story.rotate("ann", rotation("e1", &["bob", "carl"], &[]));
    story.leave("bob", &[]);
    story.rotate("carl", rotation("e2", &["ann", "bob"], &["e1"]));
    let roster = expect(&story, "ann owner, carl writer");
    let told = "e1 1 ann bob carl (leaked), e2 2 ann bob carl (leaked)";
    assert_eq!(epochs(&roster, &["e1", "e2"]), told);
    story.rotate("carl", rotation("e3", &["ann"], &["e1", "e2"]));
    let roster = expect(&story, "ann owner, carl writer");
    assert_eq!(epochs(&roster, &["e3"]), "e3 3 ann carl");
}

#[test]
fn two_rotations_that_cross_two_removals_leave_nobody_confined() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Writer);
    story.grant("ann", "carl", Writer);
    story.grant("ann", "gus", Owner);
    story.rotate("ann", rotation("e1", &["bob", "carl", "gus"], &[]));
    story.revoke_and_rotate("ann", "bob", &[], rotation("e2", &["carl", "gus"], &["e1"]));
    story.revoke_and_rotate("gus", "carl", &[], rotation("e3", &["ann", "bob"], &["e1"]));
    let roster = expect(&story, "ann owner, gus owner");
    let told = "e2 2 ann carl gus (leaked), e3 2 ann bob gus (leaked)";
    assert_eq!(epochs(&roster, &["e2", "e3"]), told);
    story.rotate("gus", rotation("e4", &["ann"], &["e1", "e2", "e3"]));
    let roster = expect(&story, "ann owner, gus owner");
    assert_eq!(epochs(&roster, &["e4"]), "e4 3 ann gus");
}

#[test]
fn a_key_that_came_with_a_grant_was_handed_out() {
    let mut story = Story::new("ann");
    story.rotate("ann", rotation("e1", &[], &[]));
    story.grant_keys("ann", "bob", &["e1"]);
    let roster = expect(&story, "ann owner, bob writer");
    assert_eq!(epochs(&roster, &["e1"]), "e1 1 ann bob");
    story.leave("bob", &[]);
    let roster = expect(&story, "ann owner");
    assert_eq!(epochs(&roster, &["e1"]), "e1 1 ann bob (leaked)");
}

#[test]
fn what_a_demoted_admin_gave_away_meanwhile_stays_given() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Admin);
    story.rotate("ann", rotation("e1", &["bob"], &[]));
    let beyond = story.grant_keys("bob", "dan", &["e1"]);
    story.set_role("ann", "bob", Writer, &[]);
    let roster = expect(&story, "ann owner, bob writer");
    expect_acts(&roster, &[], &[beyond]);
    assert_eq!(epochs(&roster, &["e1"]), "e1 1 ann bob (leaked)");
    story.rotate("ann", rotation("e2", &["bob"], &["e1"]));
    let roster = expect(&story, "ann owner, bob writer");
    assert_eq!(epochs(&roster, &["e2"]), "e2 2 ann bob");
}

#[test]
fn what_was_never_open_to_its_author_gives_nothing_away() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Writer);
    story.rotate("ann", rotation("e1", &["bob"], &[]));
    let grant = story.grant_keys("bob", "dan", &["e1"]);
    let roster = expect(&story, "ann owner, bob writer");
    expect_acts(&roster, &[], &[grant]);
    assert_eq!(epochs(&roster, &["e1"]), "e1 1 ann bob");
}

#[test]
fn who_was_given_a_new_epoch_opens_the_old_ones_too() {
    let mut story = Story::new("ann");
    story.rotate("ann", rotation("e1", &[], &[]));
    story.rotate("ann", rotation("e2", &[], &["e1"]));
    story.rotate("ann", rotation("e3", &[], &["e2"]));
    story.grant_keys("ann", "bob", &["e3"]);
    story.leave("bob", &[]);
    let roster = expect(&story, "ann owner");
    let told = "e1 1 ann (leaked), e2 2 ann (leaked), e3 3 ann bob (leaked)";
    assert_eq!(epochs(&roster, &["e1", "e2", "e3"]), told);
}

#[test]
fn keys_that_carry_one_another_add_no_depth() {
    let mut story = Story::new("ann");
    story.rotate("ann", rotation("e1", &[], &[]));
    story.rotate("ann", rotation("e2", &[], &["e1", "e3"]));
    story.rotate("ann", rotation("e3", &[], &["e2", "e3", "unknown"]));
    story.rotate("ann", rotation("e4", &[], &["e3"]));
    let roster = expect(&story, "ann owner");
    assert_eq!(
        epochs(&roster, &["e1", "e2", "e3", "e4"]),
        "e1 1 ann, e2 2 ann, e3 2 ann, e4 3 ann"
    );
}

#[test]
fn a_rotation_that_does_not_count_is_no_epoch() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Admin);
    story.grant("ann", "carl", Writer);
    story.revoke_and_rotate("bob", "carl", &[], rotation("e1", &["ann"], &[]));
    story.rotate("ann", rotation("e2", &[], &["e1"]));
    let roster = expect(&story, "ann owner, bob admin");
    assert_eq!(epochs(&roster, &["e1", "e2"]), "e1 1 ann bob, e2 2 ann");
    story.revoke_and_rotate("ann", "bob", &[], rotation("e3", &["carl"], &["e2"]));
    let roster = expect(&story, "ann owner, carl writer");
    assert_eq!(epochs(&roster, &["e1", "e2", "e3"]), "e2 1 ann, e3 2 ann carl");
}

#[test]
fn of_two_roles_the_higher_holds() {
    let mut story = Story::new("ann");
    story.grant("ann", "dan", Admin);
    story.grant("dan", "bob", Admin);
    story.grant("ann", "bob", Writer);
    story.grant("ann", "bob", Reader);
    expect(&story, "ann owner, bob admin, dan admin");
    // dan is senior to all of them but the same role at the same depth would not have been.
    story.set_role("dan", "bob", Reader, &[]);
    expect(&story, "ann owner, bob reader, dan admin");
}

#[test]
fn an_admin_who_removes_herself_by_revocation_ends_her_junior_roles_only() {
    let mut story = Story::new("ann");
    let admin = story.grant("ann", "bob", Admin);
    story.grant("ann", "bob", Writer);
    let data = story.data_log("bob");
    story.starts("bob", admin);
    story.revoke("bob", "bob", &[]);
    let roster = expect(&story, "ann owner, bob admin");
    assert_eq!(standing(&roster, data), "within {}");
}

#[test]
fn leaving_under_a_junior_role_does_not_end_a_senior_one() {
    let mut story = Story::new("ann");
    let writer = story.grant("ann", "bob", Writer);
    story.grant("ann", "bob", Admin);
    story.starts("bob", writer);
    story.leave("bob", &[]);
    expect(&story, "ann owner, bob admin");
}

#[test]
fn data_that_names_no_known_authority_is_unknown_until_it_comes() {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Writer);
    let log = story.data_log("bob");
    let mut roster = mangrove_protocol::governance::Roster::new(story.context());
    let mut told = vec![standing(&roster, log)];
    for deed in story.deeds().iter().rev() {
        roster.insert(deed.clone());
        told.push(standing(&roster, log));
    }
    assert_eq!(told, ["unknown", "unknown", "all"]);
    let governance = LogId { plane: Plane::Governance, ..log };
    assert_eq!(roster.standing(&governance), Standing::Within(Vec::new()));
}
