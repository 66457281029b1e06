//! What is said on the mesh.

use borsh::io::{self, Read};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::delta::{AES_NONCE_BYTES, Authenticity, Delta};
use crate::id::{ContextId, EpochId, PeerId, Tip};
use crate::keys::{NodeKeys, SIGNATURE_BYTES, is_signed_by};
use crate::limits::{GOSSIP_MESSAGE_BYTES, PRESENCE_BYTES};
use crate::replica::beat::Heartbeat;
use crate::wire::{self, Malformed};

/// The version of messages that this program writes and reads.
pub const VERSION: u8 = 1;
/// Bytes of the longest message that is read.
pub const MESSAGE_BYTES: u64 = GOSSIP_MESSAGE_BYTES;
/// Bytes of the longest delta that is sent whole. A longer one is announced.
pub const WHOLE_DELTA_BYTES: u64 = 64 * 1024;
/// Deltas that one message announces.
pub const TIPS_PER_ANNOUNCE: u64 = 64;
/// Bytes that one message carries sealed: a presence state, and room for what goes with it.
pub const SEALED_BYTES: u64 = PRESENCE_BYTES + 256;
/// Bytes of the nonce of an [`Ephemeral`].
pub const EPHEMERAL_NONCE_BYTES: usize = AES_NONCE_BYTES;

/// Says what a signature was made for, so that none can be passed off as another.
const SIGNATURE_DOMAIN: &[u8] = b"mangrove gossip v1\0";
/// Parts names of messages from every other use of the same hash.
const NAME_CONTEXT: &str = "mangrove 2026 gossip message name v1";

const DELTA: u8 = 1;
const SIGNED: u8 = 2;

const ANNOUNCE: u8 = 1;
const HEARTBEAT: u8 = 2;
const EPHEMERAL: u8 = 3;

/// What the bytes of a message are remembered by.
pub fn name(message: &[u8]) -> [u8; 32] {
    blake3::derive_key(NAME_CONTEXT, message)
}

/// Why bytes are no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// Of a version that this program does not know; not judged any further.
    #[error("version {0} is unknown")]
    UnknownVersion(u8),
    /// Not the encoding of a message, or over a limit.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// One message. The tags are fixed for ever, and another one takes another version.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Message {
    /// A delta as it is stored. Its author's signature is enough, whoever sends it.
    Delta(Vec<u8>) = DELTA,
    /// What a peer says of itself.
    Signed(Box<Signed>) = SIGNED,
}

impl Message {
    /// What is said of a delta: all of it, or where it is, if it is too long or does not speak for
    /// itself.
    pub fn of(delta: &Delta, keys: &NodeKeys) -> Self {
        let bytes = delta.bytes().len() as u64;
        if bytes <= WHOLE_DELTA_BYTES && delta.authenticity() == Authenticity::Signed {
            return Self::Delta(delta.bytes().to_vec());
        }
        let announce = Announce { tips: vec![delta.tip()], bytes };
        Self::sign(delta.context(), Body::Announce(announce), keys)
    }

    /// What this node says in a context.
    pub fn sign(context: ContextId, body: Body, keys: &NodeKeys) -> Self {
        let sender = keys.peer();
        let signature = keys.sign(&signed_message(context, sender, &body));
        Self::Signed(Box::new(Signed { context, sender, body, signature }))
    }

    /// Reads a message, without looking at its signature or into its delta.
    pub fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        // A later version may have other limits, so its number comes first.
        if let Some(&version) = bytes.first().filter(|version| **version != VERSION) {
            return Err(Unreadable::UnknownVersion(version));
        }
        let (_, message) = wire::decode::<(u8, Self)>(bytes, MESSAGE_BYTES)?;
        Ok(message)
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(&(VERSION, self))
    }
}

/// What a peer says of itself, under its signature.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Signed {
    /// In which context.
    pub context: ContextId,
    /// Who.
    pub sender: PeerId,
    /// What.
    pub body: Body,
    /// The sender's, over all of the above.
    pub signature: [u8; SIGNATURE_BYTES],
}

impl Signed {
    /// Whether its sender has signed it.
    pub fn is_authentic(&self) -> bool {
        let message = signed_message(self.context, self.sender, &self.body);
        is_signed_by(self.sender, &message, &self.signature)
    }
}

/// What a sender signs.
fn signed_message(context: ContextId, sender: PeerId, body: &Body) -> Vec<u8> {
    [SIGNATURE_DOMAIN, context.as_bytes(), sender.as_bytes(), &wire::encode(body)].concat()
}

/// What a peer says of itself. The tags are fixed for ever, and another one takes another version.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Body {
    /// It holds deltas that others may fetch.
    Announce(Announce) = ANNOUNCE,
    /// Where it stands.
    Heartbeat(Heartbeat) = HEARTBEAT,
    /// What holds for a moment.
    Ephemeral(Ephemeral) = EPHEMERAL,
}

/// Deltas that are to be fetched, since they are too long to be sent to everybody.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize)]
pub struct Announce {
    /// Which: ascending, at least one, at most [`TIPS_PER_ANNOUNCE`].
    pub tips: Vec<Tip>,
    /// How many bytes they have in all, as the sender says.
    pub bytes: u64,
}

/// What only those can read who hold the key of an epoch, and nobody stores.
///
/// A copy that is sent again later is authentic too: what is sealed has to say how old it is.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize)]
pub struct Ephemeral {
    /// Whose key opens it.
    pub epoch: EpochId,
    /// Random.
    pub nonce: [u8; EPHEMERAL_NONCE_BYTES],
    /// Sealed, at most [`SEALED_BYTES`].
    pub sealed: Vec<u8>,
}

impl BorshDeserialize for Message {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        Ok(match u8::deserialize_reader(reader)? {
            DELTA => Self::Delta(wire::read_bytes(reader, MESSAGE_BYTES, "a delta")?),
            SIGNED => Self::Signed(read(reader)?),
            tag => return Err(Malformed::Unknown { what: "gossip message", tag }.into()),
        })
    }
}

impl BorshDeserialize for Body {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        Ok(match u8::deserialize_reader(reader)? {
            ANNOUNCE => Self::Announce(read(reader)?),
            HEARTBEAT => Self::Heartbeat(read(reader)?),
            EPHEMERAL => Self::Ephemeral(read(reader)?),
            tag => return Err(Malformed::Unknown { what: "gossip body", tag }.into()),
        })
    }
}

impl BorshDeserialize for Announce {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        Ok(Self { tips: read_tips(reader)?, bytes: read(reader)? })
    }
}

impl BorshDeserialize for Ephemeral {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        let (epoch, nonce) = (read(reader)?, read(reader)?);
        let sealed = wire::read_bytes(reader, SEALED_BYTES, "what is sealed")?;
        Ok(Self { epoch, nonce, sealed })
    }
}

fn read_tips<R: Read>(reader: &mut R) -> io::Result<Vec<Tip>> {
    let what = "announced deltas";
    let count = u32::deserialize_reader(reader)?;
    if count == 0 {
        return Err(Malformed::Empty { what: "an announcement" }.into());
    }
    if u64::from(count) > TIPS_PER_ANNOUNCE {
        return Err(Malformed::OverLimit { what, max: TIPS_PER_ANNOUNCE }.into());
    }
    let tips = (0..count).map(|_| read(reader)).collect::<io::Result<Vec<Tip>>>()?;
    if !tips.is_sorted_by(|left, right| left < right) {
        return Err(Malformed::NotCanonical { what }.into());
    }
    Ok(tips)
}

fn read<T: BorshDeserialize, R: Read>(reader: &mut R) -> io::Result<T> {
    T::deserialize_reader(reader)
}
