//! A header that breaks a rule is no delta, and says which rule.

use mangrove_protocol::delta::{
    Broken, Draft, Header, Refusal, Sealing, Unverified, seal_and_sign,
};
use mangrove_protocol::id::{
    AuthorityId, ContextId, DeltaId, EpochId, Incarnation, Plane, Seq, Tip,
};
use mangrove_protocol::limits::{DELTA_BYTES, DEPS_PER_DELTA, DEPS_PER_LOG};
use mangrove_protocol::wire;

use crate::make::{NONCE, draft, epoch, genesis, id, keys, log, seq, size, tip};

const SEALED: Sealing =
    Sealing::AesGcmSiv { epoch: EpochId::from_bytes([8; 32]), nonce: [0x6e; 12] };

fn data() -> Header {
    seal_and_sign(draft(vec![1, 2, 3]), Some(&epoch(9)), NONCE, &keys(1)).unwrap().header().clone()
}

fn governance() -> Header {
    Header {
        log: log(1, Plane::Governance),
        deps: vec![tip(2, Plane::Governance, 3)],
        gov_heads: None,
        seal: Sealing::Plain,
        ..data()
    }
}

fn founding() -> Header {
    seal_and_sign(genesis(b"it"), None, NONCE, &keys(1)).unwrap().header().clone()
}

/// Checks the header, and that a delta around it, whoever signs, meets the same end.
fn check(mut header: Header, change: impl FnOnce(&mut Header), expect: Result<(), Broken>) {
    change(&mut header);
    assert_eq!(header.check(), expect);
    if header.version == 1 && u64::from(header.payload_len) < DELTA_BYTES {
        let rest = vec![0; header.payload_len as usize + 64];
        let parsed = Unverified::parse([wire::encode(&header), rest].concat());
        let refusal = |broken| match broken {
            Broken::TooLong { bytes } => Refusal::TooLong { bytes },
            broken => Refusal::Broken(broken),
        };
        assert_eq!(parsed.map(|_| ()), expect.map_err(refusal));
    }
}

#[test]
fn good_headers_pass() {
    for header in [data(), governance(), founding()] {
        check(header, |_| {}, Ok(()));
    }
    check(data(), |it| it.gov_heads = Some(Vec::new()), Ok(()));
    check(data(), |it| (it.seq, it.prev) = (Seq::FIRST, DeltaId::ZERO), Ok(()));
}

#[test]
fn another_version_is_not_checked_by_these_rules() {
    check(data(), |it| it.version = 2, Err(Broken::Version { found: 2 }));
}

#[test]
fn only_the_first_has_no_previous_one() {
    check(data(), |it| it.seq = Seq::FIRST, Err(Broken::PrevAtStart));
    check(data(), |it| it.prev = DeltaId::ZERO, Err(Broken::PrevMissing));
    check(founding(), |it| it.prev = id(1), Err(Broken::PrevAtStart));
}

#[test]
fn only_a_genesis_is_without_context_and_authority() {
    check(data(), |it| it.context = ContextId::ZERO, Err(Broken::NoContext));
    check(governance(), |it| it.context = ContextId::ZERO, Err(Broken::NoContext));
    check(data(), |it| it.log.authority = AuthorityId::ZERO, Err(Broken::NoAuthority));
    check(governance(), |it| it.log.authority = AuthorityId::ZERO, Err(Broken::NoAuthority));
    check(founding(), |it| it.context = ContextId::from(id(1)), Err(Broken::NoAuthority));
    check(founding(), |it| it.log.authority = id(1).into(), Err(Broken::NoContext));
    check(founding(), |it| (it.seq, it.prev) = (seq(2), id(1)), Err(Broken::NoContext));
    check(founding(), |it| it.deps = vec![tip(2, Plane::Governance, 1)], Err(Broken::NoContext));
    let to_data = |it: &mut Header| (it.log.plane, it.seal) = (Plane::Data, SEALED);
    check(founding(), to_data, Err(Broken::NoContext));
}

#[test]
fn governance_is_plain_and_data_is_sealed() {
    check(governance(), |it| it.seal = SEALED, Err(Broken::GovernanceSealed));
    check(founding(), |it| it.seal = SEALED, Err(Broken::GovernanceSealed));
    check(data(), |it| it.seal = Sealing::Plain, Err(Broken::DataPlain));
}

#[test]
fn each_plane_depends_on_its_own_and_data_cites_governance() {
    let wrong = |list| Err(Broken::WrongPlane { list });
    check(governance(), |it| it.deps = vec![tip(2, Plane::Data, 3)], wrong("parents"));
    check(data(), |it| it.deps = vec![tip(2, Plane::Governance, 3)], wrong("parents"));
    let heads = Some(vec![tip(2, Plane::Data, 3)]);
    check(data(), |it| it.gov_heads = heads, wrong("governance heads"));
    check(governance(), |it| it.gov_heads = Some(Vec::new()), Err(Broken::GovernanceHeads));
}

#[test]
fn tips_are_strictly_ascending() {
    let (low, high) = (tip(2, Plane::Data, 3), tip(2, Plane::Data, 4));
    check(data(), |it| it.deps = vec![low, high], Ok(()));
    let unsorted = |list| Err(Broken::Unsorted { list });
    check(data(), |it| it.deps = vec![high, low], unsorted("parents"));
    check(data(), |it| it.deps = vec![low, low], unsorted("parents"));
    let governance = tip(2, Plane::Governance, 3);
    let heads = Some(vec![governance, governance]);
    check(data(), |it| it.gov_heads = heads, unsorted("governance heads"));
}

#[test]
fn tips_are_bounded_in_all_and_in_each_log() {
    let tips = |logs: u64, of_each: u64, plane| {
        let mut tips: Vec<_> = (0..logs)
            .flat_map(|number| (1..=of_each).map(move |at| (number, at)))
            .map(|(number, at)| {
                let mut tip = tip(2, plane, at);
                tip.log.incarnation = Incarnation::new(number);
                tip
            })
            .collect();
        tips.sort_unstable();
        tips
    };
    let (all, each) = (DEPS_PER_DELTA, DEPS_PER_LOG);
    check(data(), |it| it.deps = tips(all, 1, Plane::Data), Ok(()));
    check(data(), |it| it.deps = tips(all / each, each, Plane::Data), Ok(()));
    let crowd = Err(Broken::TooManyTips { list: "parents", found: all + 1 });
    check(data(), |it| it.deps = tips(all + 1, 1, Plane::Data), crowd);
    let bushy = Err(Broken::TooManyOfOneLog { list: "parents" });
    check(data(), |it| it.deps = tips(2, each + 1, Plane::Data), bushy);
    let crowd = Err(Broken::TooManyTips { list: "governance heads", found: all + 1 });
    check(data(), |it| it.gov_heads = Some(tips(all + 1, 1, Plane::Governance)), crowd);
    let bushy = Err(Broken::TooManyOfOneLog { list: "governance heads" });
    check(data(), |it| it.gov_heads = Some(tips(1, each + 1, Plane::Governance)), bushy);
}

#[test]
fn no_delta_depends_on_itself_or_what_follows_it() {
    let own = |at| vec![Tip { log: log(1, Plane::Data), seq: seq(at), id: id(1) }];
    check(data(), |it| it.deps = own(6), Ok(()));
    check(data(), |it| it.deps = own(7), Err(Broken::OwnFuture));
    check(data(), |it| it.deps = own(8), Err(Broken::OwnFuture));
}

#[test]
fn a_whole_delta_has_a_limit() {
    let room = DELTA_BYTES - wire::encode(&data()).len() as u64 - 64;
    let room = u32::try_from(room).unwrap();
    check(data(), |it| it.payload_len = room, Ok(()));
    let over = Err(Broken::TooLong { bytes: DELTA_BYTES + 1 });
    check(data(), |it| it.payload_len = room + 1, over);
    assert!(matches!(
        Header { payload_len: u32::MAX, ..data() }.check(),
        Err(Broken::TooLong { .. })
    ));
}

#[test]
fn an_author_cannot_break_a_rule_by_accident() {
    let sign = |draft: Draft, sealed: bool| {
        seal_and_sign(draft, sealed.then(|| epoch(9)).as_ref(), NONCE, &keys(1)).map(|_| ())
    };
    assert_eq!(sign(draft(vec![]), true), Ok(()));
    assert_eq!(sign(draft(vec![]), false), Err(Broken::DataPlain));
    assert_eq!(sign(genesis(b""), false), Ok(()));
    assert_eq!(sign(genesis(b""), true), Err(Broken::GovernanceSealed));
    assert_eq!(
        sign(Draft { log: log(2, Plane::Data), ..draft(vec![]) }, true),
        Err(Broken::NotTheAuthor)
    );
    let room = size(DELTA_BYTES) - wire::encode(&data()).len() - 64 - 16;
    assert_eq!(sign(draft(vec![0; room]), true), Ok(()));
    let over = Err(Broken::TooLong { bytes: DELTA_BYTES + 1 });
    assert_eq!(sign(draft(vec![0; room + 1]), true), over);
}
