//! Nobody but its author can make a delta, and nobody without the key can read or change one.

use aes_gcm_siv::aead::{Aead, KeyInit, Payload as Sealed};
use mangrove_protocol::delta::{
    Authenticity, BadSignature, Delta, Draft, NotLinked, Refusal, Sealing, Suite, Unverified,
    seal_and_sign,
};
use mangrove_protocol::id::{ContextId, DeltaId, Incarnation};
use mangrove_protocol::keys::NodeKeys;
use mangrove_protocol::limits::DELTA_BYTES;
use mangrove_protocol::seal::{OpenError, open};
use mangrove_protocol::wire::{self, Malformed};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::make::{NONCE, any_header, draft, epoch, genesis, id, keys, sealed, seq, size};

const SUITES: [Suite; 2] = [Suite::AesGcmSiv, Suite::XChaCha];
const CONTENT: &[u8] = b"what only members may read";

fn reread(bytes: &[u8]) -> Unverified {
    Unverified::parse(bytes).unwrap()
}

#[test]
fn what_is_signed_and_sealed_verifies_and_opens() {
    for suite in SUITES {
        let delta = sealed(CONTENT, suite);
        let read = reread(delta.bytes()).verify().unwrap();
        assert_eq!(read, delta);
        assert_eq!(read.authenticity(), Authenticity::Signed);
        assert_eq!(read.id(), delta.id());
        assert_eq!(read.header().check(), Ok(()));
        assert_eq!(read.payload().len(), CONTENT.len() + 16);
        assert_eq!(open(&read, &epoch(9)).unwrap(), CONTENT);
        assert_eq!(open(&read, &epoch(8)), Err(OpenError::WrongKey));
    }
}

#[test]
fn a_genesis_founds_the_context_that_it_belongs_to() {
    let genesis = seal_and_sign(genesis(CONTENT), None, NONCE, &keys(1)).unwrap();
    assert_eq!(genesis.header().context, ContextId::ZERO);
    assert_eq!(genesis.context(), ContextId::from(genesis.id()));
    assert_eq!(genesis.payload(), CONTENT);
    assert_eq!(open(&genesis, &epoch(9)), Err(OpenError::NotSealed));
    let other = sealed(CONTENT, Suite::AesGcmSiv);
    assert_eq!(other.context(), other.header().context);
}

#[test]
fn ids_signatures_and_seals_are_what_the_specification_says() {
    let delta = sealed(CONTENT, Suite::AesGcmSiv);
    let (signed, signature) = delta.bytes().split_last_chunk::<64>().unwrap();
    let id = blake3::derive_key("mangrove 2026 delta id v1", signed);
    assert_eq!(delta.id().as_bytes(), &id);
    let author = ed25519_dalek::VerifyingKey::from_bytes(keys(1).peer().as_bytes()).unwrap();
    let message = [&b"mangrove delta v1\0"[..], &id].concat();
    let signature = ed25519_dalek::Signature::from_bytes(signature);
    assert!(author.verify_strict(&message, &signature).is_ok());

    let header = wire::encode(delta.header());
    assert_eq!(delta.bytes().strip_prefix(&header[..]).unwrap().len(), CONTENT.len() + 16 + 64);
    let place = [&wire::encode(delta.log())[..], &7_u64.to_le_bytes()].concat();
    let key = blake3::derive_key("mangrove 2026 delta key v1", &[&[9; 32][..], &place].concat());
    let sealed = Sealed { msg: delta.payload(), aad: &header };
    let opened = aes_gcm_siv::Aes256GcmSiv::new(&key.into()).decrypt(&[0x6e; 12].into(), sealed);
    assert_eq!(opened.unwrap(), CONTENT);
    let epoch_id = blake3::derive_key("mangrove 2026 epoch id v1", &[9; 32]);
    assert_eq!(epoch(9).id().as_bytes(), &epoch_id);
}

#[test]
fn every_truncation_is_refused() {
    for suite in SUITES {
        let delta = sealed(CONTENT, suite);
        for cut in 0..delta.bytes().len() {
            let refusal = Unverified::parse(&delta.bytes()[..cut]).unwrap_err();
            assert_eq!(refusal, Refusal::Malformed(Malformed::Truncated), "{cut}");
        }
        let longer = [&delta.bytes()[..], &[0; 3]].concat();
        let trailing = Refusal::Malformed(Malformed::Trailing { bytes: 3 });
        assert_eq!(Unverified::parse(longer).unwrap_err(), trailing);
    }
}

/// No receiver takes these bytes for a delta of that author; and even one who is made to believe
/// they are (a dishonest store, a hash that was never compared) does not get content out of them.
fn check_refused(bytes: &[u8], original: &Delta) {
    let Ok(parsed) = Unverified::parse(bytes) else { return };
    let is_original = parsed.id() == original.id();
    let (parsed, BadSignature) = parsed.verify().unwrap_err();
    let believed = Delta::stored(bytes, Authenticity::Linked).unwrap();
    assert_eq!(believed.id(), parsed.id());
    assert_eq!(open(&believed, &epoch(9)).is_ok(), is_original, "only its signature may differ");
}

#[test]
fn every_changed_bit_is_refused() {
    for suite in SUITES {
        let delta = sealed(CONTENT, suite);
        for bit in 0..delta.bytes().len() * 8 {
            let mut bytes = delta.bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            check_refused(&bytes, &delta);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn ten_thousand_random_changes_are_refused(
        xchacha: bool,
        changes in vec((any::<prop::sample::Index>(), 1..=u8::MAX), 1..4),
    ) {
        let delta = sealed(CONTENT, SUITES[usize::from(xchacha)]);
        let mut bytes = delta.bytes().to_vec();
        for (at, by) in changes {
            let at = at.index(bytes.len());
            bytes[at] ^= by;
        }
        prop_assume!(bytes != delta.bytes()[..]);
        check_refused(&bytes, &delta);
    }

    #[test]
    fn no_bytes_bring_a_parser_down(bytes in vec(any::<u8>(), 0..600), version in 0_u8..3) {
        let bytes = [&[version][..], &bytes].concat();
        let parsed = Unverified::parse(&bytes[..]);
        prop_assert!(version == 1 || parsed == Err(Refusal::UnknownVersion(version)));
        if let Ok(parsed) = parsed {
            prop_assert!(parsed.verify().is_err());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_header_brings_a_parser_down(header in any_header(), extra in 0_usize..200) {
        let header = mangrove_protocol::delta::Header { version: 1, ..header };
        let checked = header.check();
        let parsed = Unverified::parse([wire::encode(&header), vec![0; extra]].concat());
        prop_assert!(checked.is_ok() || parsed.is_err());
    }
}

#[test]
fn refusals_tell_versions_lengths_and_rules_apart() {
    assert_eq!(Unverified::parse(&[][..]).unwrap_err(), Malformed::Truncated.into());
    assert_eq!(Unverified::parse(&[9, 1][..]).unwrap_err(), Refusal::UnknownVersion(9));
    let long = vec![1; size(DELTA_BYTES) + 1];
    assert_eq!(Unverified::parse(long).unwrap_err(), Refusal::TooLong { bytes: DELTA_BYTES + 1 });
    // A cipher suite that version 1 does not have makes no delta of version 1.
    let delta = sealed(CONTENT, Suite::AesGcmSiv);
    let mut bytes = delta.bytes().to_vec();
    let epoch = *epoch(9).id().as_bytes();
    let at = bytes.windows(32).position(|window| window == epoch).unwrap();
    bytes[at - 1] = 3;
    let suite = Malformed::Unknown { what: "cipher suite", tag: 3 };
    assert_eq!(Unverified::parse(bytes).unwrap_err(), suite.into());
}

#[test]
fn only_the_author_signs_for_the_author() {
    let delta = sealed(CONTENT, Suite::AesGcmSiv);
    let (signed, _) = delta.bytes().split_last_chunk::<64>().unwrap();
    let forge = |by: &NodeKeys, message: &[u8]| [signed, &by.sign(message)].concat();
    let message = [&b"mangrove delta v1\0"[..], delta.id().as_bytes()].concat();
    assert!(reread(&forge(&keys(1), &message)).verify().is_ok());
    assert!(reread(&forge(&keys(2), &message)).verify().is_err(), "another signer");
    assert!(reread(&forge(&keys(1), delta.id().as_bytes())).verify().is_err(), "another domain");
}

/// Two deltas of one log, the second after the first, with a change to the second.
fn pair(change: impl FnOnce(&mut Draft)) -> (Unverified, Delta) {
    let first = sealed(CONTENT, Suite::AesGcmSiv);
    let mut next = Draft { seq: seq(8), prev: first.id(), deps: Vec::new(), ..draft(vec![]) };
    change(&mut next);
    let next = seal_and_sign(next, Some(&epoch(9)), NONCE, &keys(1)).unwrap();
    let mut damaged = first.bytes().to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    (reread(&damaged), next)
}

#[test]
fn a_later_delta_vouches_for_the_one_before_it() {
    let (first, next) = pair(|_| {});
    assert!(first.clone().verify().is_err());
    let linked = Delta::linked(first.clone(), &next).unwrap();
    assert_eq!(linked.authenticity(), Authenticity::Linked);
    assert_eq!((linked.id(), linked.bytes()), (first.id(), first.bytes()));
    assert_eq!(open(&linked, &epoch(9)).unwrap(), CONTENT);
}

#[test]
fn a_later_delta_vouches_for_no_other() {
    let check = |change: &dyn Fn(&mut Draft)| {
        let (first, next) = pair(change);
        assert_eq!(Delta::linked(first.clone(), &next), Err((first, NotLinked)));
    };
    check(&|next| next.prev = id(1));
    check(&|next| next.seq = seq(9));
    check(&|next| next.log.incarnation = Incarnation::new(1));
    check(&|next| next.context = ContextId::from(id(1)));
}

#[test]
fn every_place_has_its_own_key() {
    let one = sealed(CONTENT, Suite::AesGcmSiv);
    let at = |change: &dyn Fn(&mut Draft)| {
        let mut other = draft(CONTENT.to_vec());
        change(&mut other);
        seal_and_sign(other, Some(&epoch(9)), NONCE, &keys(1)).unwrap()
    };
    // Only associated data differs: the key stream of a misuse-resistant cipher differs all the
    // same, so look at the other suite, where equal keys and nonces show.
    let stream = |change: &dyn Fn(&mut Draft)| {
        at(&|draft| (draft.suite = Suite::XChaCha, change(draft)).1).payload()[..16].to_vec()
    };
    assert_ne!(stream(&|_| {}), stream(&|draft| draft.seq = seq(8)));
    assert_ne!(stream(&|_| {}), stream(&|draft| draft.log.incarnation = Incarnation::new(1)));
    assert_eq!(stream(&|_| {}), stream(&|draft| draft.prev = id(1)), "one place, one key");
    assert_ne!(at(&|_| {}).id(), at(&|draft| draft.prev = id(1)).id());
    assert_eq!(at(&|_| {}), one);
}

#[test]
fn an_emptied_payload_does_not_open() {
    let header = sealed(&[], Suite::AesGcmSiv).header().clone();
    for payload_len in 0..16_u32 {
        let header = mangrove_protocol::delta::Header { payload_len, ..header.clone() };
        let bytes = [wire::encode(&header), vec![0; payload_len as usize + 64]].concat();
        let delta = Delta::stored(bytes, Authenticity::Linked).unwrap();
        assert_eq!(open(&delta, &epoch(9)), Err(OpenError::Damaged));
    }
}

#[test]
fn secrets_are_never_printed() {
    let printed = format!("{:?}", epoch(0x41));
    assert!(printed.starts_with("EpochKey(EpochId("), "{printed}");
    assert!(!format!("{:?}", draft(b"secret".to_vec())).contains("115, 101"));
    let delta = sealed(CONTENT, Suite::AesGcmSiv);
    assert!(matches!(delta.header().seal, Sealing::AesGcmSiv { .. }));
    assert_ne!(delta.id(), DeltaId::ZERO);
    assert!(format!("{delta:?}").len() < 120, "{delta:?}");
}
