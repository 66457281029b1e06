//! How acts are written: their bytes, fixed for ever, and what is refused.

use std::fmt::Write;

use data_encoding::HEXLOWER;
use mangrove_protocol::governance::{
    Act, CutOff, Role, Rotation, SEALED_KEY_BYTES, SEALED_NAME_BYTES, SealedEpoch, SealedKey,
    SignedKem, VERSION,
};
use mangrove_protocol::id::{EpochId, PeerId};
use mangrove_protocol::limits::{BOXES_PER_ACT, HEADS_PER_CUT};
use mangrove_protocol::op::Undecodable;
use mangrove_protocol::wire::{self, Malformed};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;

use crate::make::{any_id, any_log, any_seq, id, keys, log, seq, size};

fn kem() -> SignedKem {
    SignedKem { key: [0x11; 32], signature: [0x22; 64] }
}

fn cut(author: u8) -> CutOff {
    let heads = vec![(seq(3), id(3)), (seq(3), id(4)), (seq(5), id(1))];
    CutOff { log: log(author, mangrove_protocol::id::Plane::Data), heads }
}

/// In the order of their logs, which is that of their authors.
fn cuts() -> Vec<CutOff> {
    let mut cuts = vec![cut(1), CutOff { heads: Vec::new(), ..cut(2) }];
    cuts.sort_by_key(|cut| cut.log);
    cuts
}

fn epoch(seed: u8) -> EpochId {
    EpochId::from_bytes([seed; 32])
}

fn rotation() -> Rotation {
    let seal = |seed| SealedKey { member: PeerId::from_bytes([seed; 32]), sealed: [0x33; 80] };
    Rotation {
        epoch: epoch(9),
        seals: vec![seal(1), seal(2)],
        older: vec![(epoch(7), vec![1, 2, 3]), (epoch(8), Vec::new())],
    }
}

/// One act of each kind, in the order of their tags.
pub(crate) fn every_act() -> Vec<Act> {
    let member = keys(1).peer();
    let (seals, role) = (vec![SealedEpoch { epoch: epoch(9), sealed: [0x33; 80] }], Role::Writer);
    let overrides = vec![id(1), id(2)];
    vec![
        Act::Genesis { name: b"sealed".to_vec(), kem: kem() },
        Act::Grant {
            member,
            kem: kem(),
            role,
            seals,
            invite: Some(id(5)),
            overrides: overrides.clone(),
        },
        Act::SetRole { member, kem: kem(), role: Role::Admin, cuts: cuts(), overrides },
        Act::Revoke { member, cuts: cuts(), rotation: rotation() },
        Act::Close { cut: cut(1) },
        Act::Leave { cuts: cuts() },
        Act::Rotate(rotation()),
        Act::Seal { epoch: epoch(9), key: SealedKey { member, sealed: [0x44; SEALED_KEY_BYTES] } },
        Act::Invite { key: [0x55; 32], role: Role::Reader, expires_at_ms: 258, uses: 3 },
        Act::CloseInvite { invite: id(5), accepted: vec![id(1), id(6)] },
        Act::Enlist { replica: member },
        Act::Delist { replica: member },
        Act::Rename { name: b"sealed".to_vec() },
    ]
}

#[test]
fn acts_are_written_so() {
    let mut sheet = String::new();
    for act in every_act() {
        let name = format!("{act:?}").split([' ', '(']).next().unwrap().to_owned();
        writeln!(sheet, "{name}: {}", HEXLOWER.encode(&act.encode())).unwrap();
    }
    insta::assert_snapshot!(sheet);
}

#[test]
fn every_tag_is_its_acts_place_in_the_list() {
    for (tag, act) in (1..).zip(every_act()) {
        assert_eq!(act.encode()[..2], [VERSION, tag]);
        assert_eq!(act.check(), Ok(()));
    }
}

#[track_caller]
fn refused(act: &Act, why: Malformed) {
    assert_eq!(act.check(), Err(Undecodable::Malformed(why)));
}

#[test]
fn what_a_later_version_may_know_waits_for_it() {
    let unknown = |what, tag| Err(Undecodable::Unknown { what, tag });
    assert_eq!(Act::decode(&[2, 1]), unknown("act version", 2));
    assert_eq!(Act::decode(&[VERSION, 0]), unknown("act", 0));
    assert_eq!(Act::decode(&[VERSION, 14, 1, 2, 3]), unknown("act", 14));
    let role = [&[VERSION, 9][..], &[0; 32], &[4]].concat();
    assert_eq!(Act::decode(&role), unknown("role", 4));
    assert_eq!(Act::decode(&[]), Err(Undecodable::Malformed(Malformed::Truncated)));
}

#[test]
fn names_are_bounded() {
    for bytes in [SEALED_NAME_BYTES, SEALED_NAME_BYTES + 1] {
        let name = vec![0; size(bytes)];
        let acts = [Act::Genesis { name: name.clone(), kem: kem() }, Act::Rename { name }];
        for act in acts {
            if bytes == SEALED_NAME_BYTES {
                assert_eq!(act.check(), Ok(()));
            } else {
                refused(&act, Malformed::OverLimit { what: "a sealed name", max: 256 });
            }
        }
    }
}

#[test]
fn seals_are_as_many_as_members_may_be() {
    let seal = |number: u64| {
        let member = PeerId::from_bytes(*blake3::hash(&number.to_le_bytes()).as_bytes());
        SealedKey { member, sealed: [0; SEALED_KEY_BYTES] }
    };
    let mut seals: Vec<_> = (0..=BOXES_PER_ACT).map(seal).collect();
    seals.sort_by_key(|seal| seal.member);
    let rotate = |seals| Act::Rotate(Rotation { seals, ..rotation() });
    refused(&rotate(seals.clone()), Malformed::OverLimit { what: "seals", max: 1_000 });
    seals.pop();
    assert_eq!(rotate(seals).check(), Ok(()));
}

#[test]
fn a_log_ends_at_so_many_deltas_and_no_more() {
    let head = |number: u64| (seq(number), id(number.to_le_bytes()[0]));
    let (log, all) = (cut(1).log, 1..=HEADS_PER_CUT + 1);
    let heads: Vec<_> = all.clone().map(head).collect();
    refused(
        &Act::Close { cut: CutOff { log, heads } },
        Malformed::OverLimit { what: "heads", max: 64 },
    );
    let cut = CutOff::at(log, all.rev().map(head));
    assert_eq!(cut.heads, (2..=HEADS_PER_CUT + 1).map(head).collect::<Vec<_>>());
    assert_eq!(Act::Close { cut }.check(), Ok(()));
}

#[test]
fn lists_are_strictly_ascending() {
    let not = |what| Malformed::NotCanonical { what };
    let twice = |part: &[_]| [part, part].concat();
    let member = keys(1).peer();
    let cut = CutOff { heads: twice(&cut(1).heads), ..cut(1) };
    refused(&Act::Close { cut }, not("heads"));
    refused(&Act::Leave { cuts: cuts().into_iter().rev().collect() }, not("cut-offs"));
    refused(
        &Act::CloseInvite { invite: id(1), accepted: vec![id(2), id(1)] },
        not("accepted grants"),
    );
    let seals = [rotation().seals, rotation().seals].concat();
    refused(&Act::Rotate(Rotation { seals, ..rotation() }), not("seals"));
    let older = rotation().older.into_iter().rev().collect();
    refused(&Act::Rotate(Rotation { older, ..rotation() }), not("older keys"));
    let overrides = vec![id(1), id(1)];
    let (seals, invite, role) = (Vec::new(), None, Role::Reader);
    refused(&Act::Grant { member, kem: kem(), role, seals, invite, overrides }, not("overrides"));
}

#[test]
fn a_key_under_another_is_no_longer_than_a_box() {
    let older = vec![(epoch(1), vec![0; SEALED_KEY_BYTES + 1])];
    let why = Malformed::OverLimit { what: "a sealed key", max: 80 };
    refused(&Act::Rotate(Rotation { older, ..rotation() }), why);
}

fn any_kem() -> impl Strategy<Value = SignedKem> {
    (any::<[u8; 32]>(), any::<u8>())
        .prop_map(|(key, byte)| SignedKem { key, signature: [byte; 64] })
}

fn any_cut() -> impl Strategy<Value = CutOff> {
    let heads = btree_set((any_seq(), any_id()), 0..4);
    (any_log(), heads).prop_map(|(log, heads)| CutOff { log, heads: heads.into_iter().collect() })
}

fn any_cuts() -> impl Strategy<Value = Vec<CutOff>> {
    vec(any_cut(), 0..4).prop_map(|mut cuts| {
        cuts.sort_by_key(|cut| cut.log);
        cuts.dedup_by_key(|cut| cut.log);
        cuts
    })
}

fn any_rotation() -> impl Strategy<Value = Rotation> {
    let seals = btree_map(any_id(), any::<u8>(), 0..4);
    let older = btree_map(any_id(), vec(any::<u8>(), 0..80), 0..4);
    (any_id(), seals, older).prop_map(|(epoch, seals, older)| Rotation {
        epoch: EpochId::from_bytes(*epoch.as_bytes()),
        seals: seals.into_iter().map(|(member, byte)| any_seal(member, byte)).collect(),
        older: older
            .into_iter()
            .map(|(id, key)| (EpochId::from_bytes(*id.as_bytes()), key))
            .collect(),
    })
}

fn any_seal(member: mangrove_protocol::id::DeltaId, byte: u8) -> SealedKey {
    SealedKey { member: PeerId::from_bytes(*member.as_bytes()), sealed: [byte; SEALED_KEY_BYTES] }
}

fn any_act() -> impl Strategy<Value = Act> {
    let role =
        prop_oneof![Just(Role::Owner), Just(Role::Admin), Just(Role::Writer), Just(Role::Reader)];
    let member = any::<[u8; 32]>().prop_map(PeerId::from_bytes);
    let ids = btree_set(any_id(), 0..4).prop_map(|ids| ids.into_iter().collect::<Vec<_>>());
    let parts = (role, member, ids, any_kem(), proptest::option::of(any_id()));
    (1..=13_u8, parts, any_cuts(), any_cut(), any_rotation()).prop_map(
        |(tag, (role, member, ids, kem, invite), cuts, cut, rotation)| match tag {
            1 => Act::Genesis { name: kem.key.to_vec(), kem },
            2 => {
                let seals = rotation.older.iter().map(|(epoch, _)| *epoch);
                let seals = seals.map(|epoch| SealedEpoch { epoch, sealed: [1; 80] }).collect();
                Act::Grant { member, kem, role, seals, invite, overrides: ids }
            }
            3 => Act::SetRole { member, kem, role, cuts, overrides: ids },
            4 => Act::Revoke { member, cuts, rotation },
            5 => Act::Close { cut },
            6 => Act::Leave { cuts },
            7 => Act::Rotate(rotation),
            8 => Act::Seal {
                epoch: rotation.epoch,
                key: any_seal(invite.unwrap_or_else(|| id(1)), 7),
            },
            9 => Act::Invite { key: kem.key, role, expires_at_ms: 5, uses: 6 },
            10 => Act::CloseInvite { invite: invite.unwrap_or_else(|| id(1)), accepted: ids },
            11 => Act::Enlist { replica: member },
            12 => Act::Delist { replica: member },
            _ => Act::Rename { name: kem.key.to_vec() },
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn acts_have_one_encoding(
        act in any_act(),
        changes in vec((any::<prop::sample::Index>(), 1..=u8::MAX), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let bytes = act.encode();
        prop_assert_eq!(Act::decode(&bytes), Ok(act));
        let short = &bytes[..cut.index(bytes.len())];
        prop_assert_eq!(Act::decode(short), Err(Malformed::Truncated.into()));
        let longer = [&bytes[..], &[0]].concat();
        prop_assert_eq!(Act::decode(&longer), Err(Malformed::Trailing { bytes: 1 }.into()));
        let mut damaged = bytes;
        for (at, by) in changes {
            let at = at.index(damaged.len());
            damaged[at] ^= by;
        }
        if let Ok(other) = Act::decode(&damaged) {
            prop_assert_eq!(other.encode(), damaged);
        }
    }
}

#[test]
fn a_whole_act_is_no_longer_than_a_delta() {
    let name = vec![0; size(mangrove_protocol::limits::DELTA_BYTES)];
    let why = Act::decode(&wire::encode(&(VERSION, Act::Rename { name }))).unwrap_err();
    assert!(matches!(why, Undecodable::Malformed(Malformed::TooLong { .. })));
}
