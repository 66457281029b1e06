//! The root is a sum of hashed leaves, and nothing but the live leaves is in it.

use std::collections::BTreeSet;

use mangrove_protocol::fold::AbsoluteDot;
use mangrove_protocol::root::{self, LANES, Leaf, ROOT_BYTES, Root};
use mangrove_protocol::wire;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::make::{id, key, stamp, value};

/// The numbers that the specification assigns to the bytes of a leaf.
fn element(leaf: &[u8]) -> Vec<u16> {
    let mut hasher = blake3::Hasher::new_derive_key("mangrove 2026 root leaf v1");
    hasher.update(leaf);
    let mut bytes = vec![0; ROOT_BYTES];
    hasher.finalize_xof().fill(&mut bytes);
    bytes.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
}

fn lanes(root: &Root) -> Vec<u16> {
    root.to_bytes().chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
}

#[test]
fn a_root_is_what_the_specification_says() {
    let (name, text, won, one) = (key("k"), value("v"), stamp(1, 2, 3), value("i"));
    let dots = BTreeSet::from([AbsoluteDot { delta: id(4), op: 5 }]);
    let leaves = [
        Leaf::Register { key: &name, value: &text, stamp: &won },
        Leaf::Counter { key: &name, sum: -2 },
        Leaf::Item { key: &name, item: &one, dots: &dots },
    ];
    let stamp = [&(1_u64 << 16).to_le_bytes()[..], &[2; 32], &3_u32.to_le_bytes()].concat();
    let by_hand = [
        [b"\x01\x01\0\0\0k\x01\0\0\0v", &stamp[..]].concat(),
        [b"\x02\x01\0\0\0k", &(-2_i128).to_le_bytes()[..]].concat(),
        [b"\x03\x01\0\0\0k\x01\0\0\0i\x01\0\0\0", &[4; 32][..], &5_u32.to_le_bytes()].concat(),
    ];
    let mut sum = vec![0_u16; LANES];
    for (leaf, bytes) in leaves.iter().zip(&by_hand) {
        assert_eq!(&wire::encode(leaf), bytes);
        for (lane, add) in sum.iter_mut().zip(element(bytes)) {
            *lane = lane.wrapping_add(add);
        }
    }
    let root = root::of(leaves);
    assert_eq!(lanes(&root), sum);
    let digest = blake3::derive_key("mangrove 2026 root digest v1", &root.to_bytes());
    assert_eq!(root.digest(), digest);
}

#[test]
fn leaves_that_look_alike_are_told_apart() {
    let dots = |ops: &[u32]| -> BTreeSet<_> {
        ops.iter().map(|&op| AbsoluteDot { delta: id(1), op }).collect()
    };
    let (one, two) = (dots(&[1]), dots(&[1, 2]));
    let (k, kk, v, kv, none) = (key("k"), key("kk"), value("v"), value("kv"), value(""));
    let (early, late) = (stamp(1, 1, 0), stamp(1, 1, 1));
    let leaves = [
        Leaf::Register { key: &k, value: &kv, stamp: &early },
        Leaf::Register { key: &kk, value: &v, stamp: &early },
        Leaf::Register { key: &kk, value: &none, stamp: &early },
        Leaf::Register { key: &kk, value: &v, stamp: &late },
        Leaf::Counter { key: &k, sum: 1 },
        Leaf::Counter { key: &k, sum: -1 },
        Leaf::Counter { key: &kk, sum: 1 },
        Leaf::Item { key: &k, item: &kv, dots: &one },
        Leaf::Item { key: &kk, item: &v, dots: &one },
        Leaf::Item { key: &kk, item: &v, dots: &two },
    ];
    let digests: BTreeSet<_> = leaves.iter().map(|leaf| root::of([*leaf]).digest()).collect();
    assert_eq!(digests.len(), leaves.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn leaves_come_and_go_in_any_order(sums in vec(any::<i128>(), 1..12), at in any::<prop::sample::Index>()) {
        let names: Vec<_> = (0..sums.len()).map(|at| key(&at.to_string())).collect();
        let leaves: Vec<_> =
            names.iter().zip(&sums).map(|(key, &sum)| Leaf::Counter { key, sum }).collect();
        let all = root::of(leaves.iter().copied());
        prop_assert_eq!(&all, &root::of(leaves.iter().rev().copied()));
        prop_assert_eq!(&Root::from_bytes(&all.to_bytes()), &all);
        let gone = at.index(leaves.len());
        let mut without = all.clone();
        without.sub(&leaves[gone]);
        let others = leaves.iter().enumerate().filter(|(at, _)| *at != gone);
        prop_assert_eq!(&without, &root::of(others.map(|(_, leaf)| *leaf)));
        without.replace(None, Some(leaves[gone]));
        prop_assert_eq!(&without, &all);
        without.replace(Some(leaves[gone]), Some(leaves[gone]));
        prop_assert_eq!(&without, &all);
        for leaf in &leaves {
            without.replace(Some(*leaf), None);
        }
        prop_assert_eq!(without, Root::empty());
    }
}
