//! Whatever members plan, after whatever was written before, counts and does what was asked.

use std::collections::BTreeSet;

use mangrove_protocol::governance::{Act, Command, CutOff, Redemption, Role, Rotation};
use mangrove_protocol::id::{DeltaId, EpochId};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::council::{Council, NOW_MS, invite, kem_of, peer};

const PEOPLE: u8 = 6;

/// A step of somebody: something asked, or something written against all advice.
#[derive(Debug, Clone)]
struct Choice {
    who: u8,
    whom: u8,
    what: u8,
    role: Role,
    uses: u32,
    which: Index,
    cuts: Vec<Index>,
}

fn any_choice() -> impl Strategy<Value = Choice> {
    let role =
        prop_oneof![Just(Role::Owner), Just(Role::Admin), Just(Role::Writer), Just(Role::Reader)];
    let index = any::<Index>;
    // Who founded the context acts more often than others, and so do those that came early.
    let who = (1..=PEOPLE, 1..=PEOPLE).prop_map(|(one, other)| one.min(other));
    (who, 1..=PEOPLE, 0..28_u8, role, 0..3_u32, index(), vec(index(), 0..2)).prop_map(
        |(who, whom, what, role, uses, which, cuts)| Choice {
            who,
            whom,
            what,
            role,
            uses,
            which,
            cuts,
        },
    )
}

impl Choice {
    fn command(&self, council: &Council) -> Option<Command> {
        let (member, kem, role) = (peer(self.whom), kem_of(self.whom), self.role);
        let deed = || *self.which.get(&council.deeds);
        let known: Vec<_> = council.roster.invites().map(|deed| deed.id).collect();
        let some = || if known.is_empty() { deed() } else { *self.which.get(&known) };
        Some(match self.what {
            0 | 1 => invite(role, self.uses),
            2 => Command::CloseInvite { invite: some() },
            3..=5 => Command::Grant { member, kem, role },
            6..=8 => Command::SetRole { member, role },
            9 | 10 => Command::Remove { member },
            11 => Command::Leave,
            12 => Command::Rename { name: vec![self.whom] },
            13 => Command::Rotate,
            14 => Command::Enlist { replica: member },
            15 => Command::Delist { replica: member },
            16 => Command::Close { log: self.which.get(&logs(council)).log },
            17..=20 => Command::Redeem(Redemption { invite: some(), member, kem }),
            21 => Command::SetRole { member: peer(self.who), role },
            _ => return None,
        })
    }

    /// What nobody advised: it cuts at random and confers what it likes.
    fn act(&self, council: &Council) -> Act {
        let (member, kem, role) = (peer(self.whom), kem_of(self.whom), self.role);
        let logs = logs(council);
        let mut cuts: Vec<_> = self.cuts.iter().map(|cut| cut.get(&logs).clone()).collect();
        cuts.sort_by_key(|cut| cut.log);
        cuts.dedup_by_key(|cut| cut.log);
        let rotation = Rotation {
            epoch: EpochId::from_bytes([self.whom; 32]),
            seals: Vec::new(),
            older: Vec::new(),
        };
        let deed = *self.which.get(&council.deeds);
        let (seals, overrides) = (Vec::new(), Vec::new());
        match self.what % 6 {
            0 => Act::Grant { member, kem, role, seals, invite: Some(deed), overrides },
            1 => Act::SetRole { member, kem, role, cuts, overrides: vec![deed] },
            2 => Act::Revoke { member, cuts, rotation },
            3 => Act::Leave { cuts },
            4 => Act::Invite { key: [1; 32], role, expires_at_ms: NOW_MS * 2, uses: self.uses },
            _ => Act::CloseInvite { invite: deed, accepted: Vec::new() },
        }
    }
}

/// All logs as they end.
fn logs(council: &Council) -> Vec<CutOff> {
    (1..=PEOPLE).flat_map(|who| council.accepted(peer(who))).collect()
}

/// What stands of data.
fn standing(council: &Council) -> BTreeSet<DeltaId> {
    let data = council.data().into_iter();
    data.filter(|(log, tip)| council.stands(log, *tip)).map(|(_, (_, id))| id).collect()
}

/// Checks that it is as was asked.
fn check(council: &Council, choice: &Choice, command: &Command, before: &Council) {
    let (who, role) = (choice.who, |who: u8| council.role(who));
    let expect = |member, wanted| assert_eq!(council.roster.role(member), wanted, "{command:?}");
    match command {
        Command::Grant { member, role, .. } | Command::SetRole { member, role } => {
            expect(*member, Some(*role));
        }
        Command::Redeem(redemption) => assert!(council.roster.role(redemption.member).is_some()),
        Command::Remove { member } => expect(*member, None),
        Command::Leave => assert_eq!(role(who), None),
        Command::CloseInvite { invite } => assert!(council.roster.is_closed(*invite)),
        Command::Enlist { replica } => assert!(council.roster.replicas().contains(replica)),
        Command::Delist { replica } => assert!(!council.roster.replicas().contains(replica)),
        Command::Rename { name } => assert_eq!(council.roster.name(), Some(&name[..])),
        Command::Invite { .. } | Command::Rotate | Command::Close { .. } => {}
    }
    // An epoch begins with a removal, and whoever it is sealed to is whoever is left.
    if let Command::Remove { .. } | Command::Rotate = command {
        let chosen = council.keyring(who).choose(&council.roster).unwrap().id();
        assert!(!before.roster.epochs().contains_key(&chosen));
        let members: BTreeSet<_> = council.roster.members().into_keys().collect();
        assert_eq!(council.roster.epochs()[&chosen].recipients, members);
    }
}

/// Carries out what is asked, checks that no act ceases to count by it, and tells what data does.
fn take(council: &mut Council, choice: &Choice) -> Result<Vec<DeltaId>, TestCaseError> {
    if council.role(choice.who).is_some_and(Role::writes) {
        council.writes_data(choice.who);
    }
    let Some(command) = choice.command(council) else { return Ok(Vec::new()) };
    let Ok(plan) = council.ask(choice.who, command.clone()) else { return Ok(Vec::new()) };
    if plan.already.is_some() {
        return Ok(Vec::new());
    }
    let (before, falls) = (council.clone(), plan.falls.clone());
    council.carry_out(choice.who, plan);
    check(council, choice, &command, &before);
    prop_assert_eq!(&falls, &[], "{:?}", command);
    let lost: Vec<_> = before.counting().difference(&council.counting()).copied().collect();
    prop_assert_eq!(lost, [], "{:?}", command);
    Ok(standing(&before).difference(&standing(council)).copied().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_planned_counts_does_what_was_asked_and_loses_nothing(
        choices in vec(any_choice(), 0..60)
    ) {
        let mut council = Council::new();
        for choice in &choices {
            prop_assert_eq!(take(&mut council, choice)?, [], "{:?}", choice);
            let members = council.roster.members();
            prop_assert!(members.is_empty() || members.values().any(|role| *role == Role::Owner));
        }
    }

    /// Data is not looked at: that of a lowered member ranks as the role that is left, and what once
    /// was done in vain to whoever was senior then ends it.
    #[test]
    fn whatever_was_written_before_a_plan_counts_and_does_what_was_asked(
        choices in vec((any_choice(), proptest::bool::weighted(0.4)), 0..50)
    ) {
        let mut council = Council::new();
        for (choice, wild) in &choices {
            let was_member = council.role(choice.who).is_some();
            if *wild && was_member {
                let act = choice.act(&council);
                council.write(choice.who, act);
            } else {
                take(&mut council, choice)?;
            }
        }
    }
}
