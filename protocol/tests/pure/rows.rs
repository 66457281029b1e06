//! Rows of every table: arbitrary ones have one encoding, and arbitrary bytes are one row or none.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use mangrove_protocol::delta::{Authenticity, Delta, Suite, seal_and_sign};
use mangrove_protocol::fold::{
    AbsoluteDot, Change, Counter, Register, SetHead, SetItem, Stamp, Touched, Visible,
};
use mangrove_protocol::governance::Role;
use mangrove_protocol::graph::{Cause, Place, Status, Void};
use mangrove_protocol::id::{EpochId, Incarnation, PeerId};
use mangrove_protocol::log::{LogRow, Tips};
use mangrove_protocol::op::{AppEvent, Kind, Op};
use mangrove_protocol::replica::feed::FeedItem;
use mangrove_protocol::replica::memory::{Labels, Local, Own, Remembered};
use mangrove_protocol::replica::rebuild::Rebuild;
use mangrove_protocol::request::Version;
use mangrove_protocol::root::{ROOT_BYTES, Root};
use mangrove_protocol::seal::EpochKey;
use mangrove_protocol::view::{
    Counters, Deltas, Entries, Feed, ForTable, GovHeads, Heads, History, Items, Keys, Labelled,
    Leaning, Locals, Logs, Outbox, Owns, Places, Registers, RequestAges, Requests, Roots, Sets,
    Table, Waiting, for_every_table,
};
use mangrove_protocol::wire;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;

use crate::canonical::{check, damage};
use crate::make::{
    NONCE, any_hlc, any_id, any_key, any_log, any_seq, any_tip, any_value, genesis, keys,
    payload_of, sealed,
};
use crate::ordering::Tags;

/// Good deltas, known in both ways.
static DELTAS: LazyLock<Vec<Delta>> = LazyLock::new(|| {
    let payload = payload_of(vec![Op::Delete { key: crate::make::key("k") }]).encode();
    let founding = seal_and_sign(genesis(b"name"), None, NONCE, &keys(1)).unwrap();
    let signed = [sealed(&payload, Suite::AesGcmSiv), sealed(&[], Suite::XChaCha), founding];
    let linked = |delta: &Delta| Delta::stored(delta.bytes().clone(), Authenticity::Linked);
    let linked = signed.iter().map(|delta| linked(delta).unwrap()).collect::<Vec<_>>();
    [signed.to_vec(), linked].concat()
});

fn any_peer() -> impl Strategy<Value = PeerId> {
    any::<[u8; 32]>().prop_map(PeerId::from_bytes)
}

fn any_cause() -> impl Strategy<Value = Cause> {
    prop_oneof![
        any_id().prop_map(Cause::Parent),
        any::<[u8; 32]>().prop_map(|epoch| Cause::Key(EpochId::from_bytes(epoch))),
        any_hlc().prop_map(Cause::Clock),
        Just(Cause::Version),
    ]
}

fn any_status() -> impl Strategy<Value = Status> {
    let why = select(vec![Void::CutOff, Void::Clock, Void::Sealed, Void::Unreadable]);
    prop_oneof![
        any::<u64>().prop_map(|order| Status::Applied { order }),
        (any::<u64>(), why).prop_map(|(order, why)| Status::Void { order, why }),
        (any_cause(), any::<u64>())
            .prop_map(|(cause, since_ms)| Status::Parked { cause, since_ms }),
    ]
}

fn any_place() -> impl Strategy<Value = Place> {
    let named = (any_log(), any_seq(), any_id(), any_hlc());
    (named, any::<u64>(), any::<bool>(), any_status()).prop_map(
        |((log, seq, prev, hlc), bytes, told, status)| Place {
            log,
            seq,
            prev,
            hlc,
            bytes,
            told,
            status,
        },
    )
}

fn any_tips() -> impl Strategy<Value = Tips> {
    vec((any_seq(), any_id()), 0..4).prop_map(|tips| tips.into_iter().collect())
}

fn any_log_row() -> impl Strategy<Value = LogRow> {
    (any_tips(), any_tips(), any::<bool>()).prop_map(|(stored, applied, cited)| LogRow {
        stored,
        applied,
        cited,
    })
}

fn any_stamp() -> impl Strategy<Value = Stamp> {
    (any_hlc(), any_id(), any::<u32>()).prop_map(|(hlc, delta, op)| Stamp { hlc, delta, op })
}

fn any_touched() -> impl Strategy<Value = Touched> {
    (any::<u64>(), any_stamp(), any_peer()).prop_map(|(writes, last, author)| Touched {
        writes,
        last,
        author,
    })
}

fn any_register() -> impl Strategy<Value = Register> {
    (option::of(any_value()), any_stamp(), any_peer()).prop_map(|(value, stamp, author)| Register {
        value,
        stamp,
        author,
    })
}

fn any_dots() -> impl Strategy<Value = BTreeSet<AbsoluteDot>> {
    let dot = (any_id(), any::<u32>()).prop_map(|(delta, op)| AbsoluteDot { delta, op });
    btree_set(dot, 0..4)
}

fn any_version() -> impl Strategy<Value = Version> {
    (any_kind(), any_stamp(), any::<u64>())
        .prop_map(|(kind, stamp, writes)| Version::after(kind, stamp, writes))
}

fn any_kind() -> impl Strategy<Value = Kind> {
    select(vec![Kind::Register, Kind::Counter, Kind::Set])
}

fn any_local() -> impl Strategy<Value = Local> {
    (option::of("[a-z]{0,8}"), any::<u64>()).prop_map(|(alias, since_ms)| Local { alias, since_ms })
}

fn any_labels() -> impl Strategy<Value = Labels> {
    btree_map("[a-z]{0,4}", "[a-z]{0,4}", 0..3).prop_map(Labels)
}

fn any_own() -> impl Strategy<Value = Own> {
    let rebuild = prop_oneof![
        Just(Rebuild::Due),
        any::<u64>().prop_map(|total| Rebuild::Clearing { total }),
        any::<(u64, u64)>().prop_map(|(at, total)| Rebuild::Turning { at, total }),
    ];
    let right = (option::of(any::<u64>()), option::of(any_id()), vec(any_tip(), 0..3));
    let counted = (any_hlc(), any_hlc(), any::<(u64, u64)>());
    let rest = (any::<bool>(), option::of(rebuild), any::<u32>(), option::of(any_peer()));
    (right, counted, rest).prop_map(
        |(right, (clock, gov_clock, (settled, feed)), (clean, rebuild, fold_version, inviter))| {
            let (incarnation, authority, gov_said) = right;
            let incarnation = incarnation.map(Incarnation::new);
            let authority = authority.map(Into::into);
            Own {
                incarnation,
                authority,
                gov_said,
                clock,
                gov_clock,
                settled,
                feed,
                clean,
                rebuild,
                fold_version,
                inviter,
            }
        },
    )
}

fn any_remembered() -> impl Strategy<Value = Remembered> {
    let versions = vec(option::of(any_version()), 0..4);
    (any::<[u8; 32]>(), any::<(u64, u64)>(), any_id(), any_seq(), versions).prop_map(
        |(fingerprint, (at_ms, cursor), delta, seq, versions)| Remembered {
            fingerprint,
            at_ms,
            delta,
            seq,
            cursor,
            versions,
        },
    )
}

fn any_change() -> impl Strategy<Value = Change> {
    let items = (vec(any_value(), 0..3), vec(any_value(), 0..3));
    let became = prop_oneof![
        option::of(any_value()).prop_map(Visible::Value),
        any::<i128>().prop_map(Visible::Count),
        items.prop_map(|(added, removed)| Visible::Items { added, removed }),
    ];
    (any_kind(), any_key(), became).prop_map(|(kind, key, became)| Change { kind, key, became })
}

fn any_item() -> impl Strategy<Value = FeedItem> {
    let event = (".{0,12}", vec(any::<u8>(), 0..20));
    let event = event.prop_map(|(name, data)| AppEvent { name, data });
    let change = (any_id(), any_peer(), any::<bool>(), vec(any_change(), 0..4), vec(event, 0..3));
    let role = select(vec![Role::Owner, Role::Admin, Role::Writer, Role::Reader]);
    prop_oneof![
        change.prop_map(|(delta, author, local, changes, emitted)| FeedItem::Change {
            delta,
            author,
            local,
            changes,
            emitted,
        }),
        (any_peer(), option::of(role), any_peer())
            .prop_map(|(member, role, by)| FeedItem::Member { member, role, by }),
        vec(any_id(), 0..4).prop_map(|void| FeedItem::Rebuilt { void }),
    ]
}

fn any_root() -> impl Strategy<Value = Root> {
    vec(any::<u8>(), ROOT_BYTES).prop_map(|bytes| Root::from_bytes(&bytes.try_into().unwrap()))
}

/// One encoding for each row, and the tables of which this was seen.
#[derive(Default)]
struct Laws(BTreeSet<u8>);

impl Laws {
    fn hold<T: Table>(&mut self, rows: impl Strategy<Value = T::Row>) {
        let mut runner = TestRunner::new(ProptestConfig::with_cases(64));
        let held = runner.run(&(rows, vec(damage(), 8)), |(row, damage)| {
            damage.iter().try_for_each(|at| check(&row, at))
        });
        held.unwrap_or_else(|why| panic!("rows of {}: {why}", T::NAME));
        self.0.insert(T::TAG);
    }
}

#[test]
fn rows_of_every_table_have_one_encoding() {
    let mut laws = Laws::default();
    laws.hold::<Deltas>(select(DELTAS.clone()));
    laws.hold::<Places>(any_place());
    laws.hold::<Entries>(Just(()));
    laws.hold::<Logs>(any_log_row());
    laws.hold::<Waiting>(Just(()));
    laws.hold::<History>(any_id());
    laws.hold::<Heads>(any_tip());
    laws.hold::<GovHeads>(any_tip());
    laws.hold::<Leaning>(any::<[u8; 32]>());
    laws.hold::<Keys>(any::<[u8; 32]>().prop_map(EpochKey::from_bytes));
    laws.hold::<Registers>(any_register());
    laws.hold::<Counters>(
        (any::<i128>(), any_touched()).prop_map(|(sum, touched)| Counter { sum, touched }),
    );
    laws.hold::<Sets>(
        (any::<u64>(), any_touched()).prop_map(|(items, touched)| SetHead { items, touched }),
    );
    laws.hold::<Items>(
        (any_dots(), any_dots()).prop_map(|(dots, cancelled)| SetItem { dots, cancelled }),
    );
    laws.hold::<Roots>(any_root());
    laws.hold::<Owns>(any_own());
    laws.hold::<Requests>(any_remembered());
    laws.hold::<RequestAges>(Just(()));
    laws.hold::<Feed>(any_item());
    laws.hold::<Outbox>(Just(()));
    laws.hold::<Locals>(any_local());
    laws.hold::<Labelled>(any_labels());
    assert!(laws.0.into_iter().eq(Tags::all().into_iter().map(|(tag, _)| tag)), "every table");
}

/// Bytes that are given to every table.
struct Noise<'a> {
    bytes: &'a [u8],
    found: Result<(), TestCaseError>,
}

impl Noise<'_> {
    fn check<T: Table>(&self) -> Result<(), TestCaseError> {
        if let Ok(row) = wire::decode::<T::Row>(self.bytes, u64::MAX) {
            prop_assert_eq!(wire::encode(&row), self.bytes, "a row of {}", T::NAME);
        }
        Ok(())
    }
}

impl ForTable for Noise<'_> {
    fn table<T: Table>(&mut self) {
        if self.found.is_ok() {
            self.found = self.check::<T>();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn any_bytes_at_all_are_a_row_in_one_form_or_none(
        bytes in prop_oneof![
            vec(any::<u8>(), 0..300),
            vec(select(vec![0, 0, 0, 1, 2, 3, 4]), 0..300),
        ],
    ) {
        let mut noise = Noise { bytes: &bytes, found: Ok(()) };
        for_every_table(&mut noise);
        noise.found?;
    }
}
