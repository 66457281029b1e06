//! What a node says that wants replicas.
//!
//! ```text
//! version 1 · caller 32 · nonce 16 · time 8 · addresses [[]] · signature 64
//! ```
//! The signature is over `mangrove enlist call v1\0` and what stands between the version and itself.

use borsh::io::{self, Read};
use borsh::{BorshDeserialize, BorshSerialize};

use super::VERSION;
use crate::clock::MAX_AHEAD_MS;
use crate::gossip::{Ignored, Rejected, Unreadable, Verdict, name};
use crate::id::PeerId;
use crate::keys::{NodeKeys, SIGNATURE_BYTES, is_signed_by};
use crate::ticket::{MAX_ADDRESS_BYTES, MAX_ADDRESSES};
use crate::wire::{self, Malformed};

/// Bytes of what tells one call from another.
pub const NONCE_BYTES: usize = 16;
/// What tells one call from another. Random, and good for one call.
pub type Nonce = [u8; NONCE_BYTES];

/// Bytes of the longest call that is read.
pub const CALL_BYTES: u64 = 5 * 1024;

/// Says what a signature was made for, so that none can be passed off as another.
const SIGNATURE_DOMAIN: &[u8] = b"mangrove enlist call v1\0";

/// That a node wants replicas: who it is and where it is met, and not for what.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize)]
pub struct Call {
    /// Who calls.
    pub caller: PeerId,
    /// By what an offer names this call.
    pub nonce: Nonce,
    /// When, by the caller's clock, in Unix ms.
    pub time_ms: u64,
    /// Where the caller is met, as multiaddresses: at most [`MAX_ADDRESSES`], each of at most
    /// [`MAX_ADDRESS_BYTES`].
    pub addresses: Vec<String>,
    /// The caller's, over all of the above.
    pub signature: [u8; SIGNATURE_BYTES],
}

impl Call {
    /// The call of this node. Of the addresses those are told that there is room for.
    pub fn sign(nonce: Nonce, time_ms: u64, addresses: &[String], keys: &NodeKeys) -> Self {
        let fit = addresses.iter().filter(|address| address.len() <= MAX_ADDRESS_BYTES);
        let addresses = fit.take(MAX_ADDRESSES).cloned().collect();
        let signature = [0; SIGNATURE_BYTES];
        let call = Self { caller: keys.peer(), nonce, time_ms, addresses, signature };
        Self { signature: keys.sign(&call.signed_message()), ..call }
    }

    /// Reads a call, without looking at its signature.
    pub fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        // A later version may have other limits, so its number comes first.
        if let Some(&version) = bytes.first().filter(|version| **version != VERSION) {
            return Err(Unreadable::UnknownVersion(version));
        }
        let (_, call) = wire::decode::<(u8, Self)>(bytes, CALL_BYTES)?;
        Ok(call)
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(&(VERSION, self))
    }

    /// Whether its caller has signed it.
    pub fn is_authentic(&self) -> bool {
        is_signed_by(self.caller, &self.signed_message(), &self.signature)
    }

    fn signed_message(&self) -> Vec<u8> {
        let Self { caller, nonce, time_ms, addresses, signature: _ } = self;
        let said = wire::encode(&(caller, nonce, time_ms, addresses));
        [SIGNATURE_DOMAIN, &said].concat()
    }
}

/// Judges what came on the topic of invites, once, before it is passed on: as
/// [`crate::gossip::judge`] does, by its version, length and encoding, then whether it is new, then its
/// signature, then its time. `has_heard` knows the [`name`]s of calls that were accepted within the last
/// minutes; older ones are refused by their time.
///
/// Anybody may call. Whom a node answers is its own affair.
pub fn judge_call(
    bytes: &[u8],
    now_ms: u64,
    has_heard: impl FnOnce(&[u8; 32]) -> bool,
) -> Verdict<Call> {
    let call = match Call::decode(bytes) {
        Ok(call) => call,
        Err(Unreadable::UnknownVersion(version)) => {
            return Verdict::Ignore(Ignored::UnknownVersion(version));
        }
        Err(Unreadable::Malformed(why)) => return Verdict::Reject(Rejected::Malformed(why)),
    };
    if has_heard(&name(bytes)) {
        return Verdict::Ignore(Ignored::Duplicate);
    }
    if !call.is_authentic() {
        return Verdict::Reject(Rejected::BadSignature);
    }
    if call.time_ms.abs_diff(now_ms) > MAX_AHEAD_MS {
        return Verdict::Ignore(Ignored::Clock { peer: call.caller, time_ms: call.time_ms });
    }
    Verdict::Accept(call)
}

impl BorshDeserialize for Call {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        let caller = PeerId::deserialize_reader(reader)?;
        let nonce = Nonce::deserialize_reader(reader)?;
        let time_ms = u64::deserialize_reader(reader)?;
        let addresses = read_addresses(reader)?;
        let signature = BorshDeserialize::deserialize_reader(reader)?;
        Ok(Self { caller, nonce, time_ms, addresses, signature })
    }
}

fn read_addresses<R: Read>(reader: &mut R) -> io::Result<Vec<String>> {
    let count = u32::deserialize_reader(reader)?;
    let max = MAX_ADDRESSES as u64;
    if u64::from(count) > max {
        return Err(Malformed::OverLimit { what: "addresses", max }.into());
    }
    (0..count).map(|_| wire::read_text(reader, MAX_ADDRESS_BYTES as u64, "address")).collect()
}
