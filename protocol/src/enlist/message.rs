//! What is said between a caller and a replica.

use borsh::io::{self, Read};
use borsh::{BorshDeserialize, BorshSerialize};

use super::VERSION;
use super::call::Nonce;
use crate::id::ContextId;
use crate::wire::{self, Malformed};

/// Bytes of the longest message that is read.
pub const MESSAGE_BYTES: u64 = 256;

const OFFER: u8 = 1;
const HIRED: u8 = 2;
const REFUSED: u8 = 3;
const TAKEN: u8 = 4;

/// One message of the exchange. The tags are fixed for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Message {
    /// The replica offers itself.
    Offer {
        /// To this call.
        nonce: Nonce,
    } = OFFER,
    /// The caller takes the offer.
    Hired {
        /// What is to be kept.
        context: ContextId,
    } = HIRED,
    /// The caller has enough, or does not know of the call any more.
    Refused {
        /// After how long it may be worth another try.
        retry_after_ms: Option<u64>,
    } = REFUSED,
    /// The context is begun where the replica keeps it, and will be there after a crash.
    Taken = TAKEN,
}

impl Message {
    /// Reads a message.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let Versioned(message) = wire::decode(bytes, MESSAGE_BYTES)?;
        Ok(message)
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(&(VERSION, self))
    }
}

/// A message after its version.
struct Versioned(Message);

impl BorshDeserialize for Versioned {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        let version = u8::deserialize_reader(reader)?;
        if version != VERSION {
            return Err(Malformed::Unknown { what: "enlist version", tag: version }.into());
        }
        Message::deserialize_reader(reader).map(Self)
    }
}

impl BorshDeserialize for Message {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        Ok(match u8::deserialize_reader(reader)? {
            OFFER => Self::Offer { nonce: read(reader)? },
            HIRED => Self::Hired { context: read(reader)? },
            REFUSED => Self::Refused { retry_after_ms: read(reader)? },
            TAKEN => Self::Taken,
            tag => return Err(Malformed::Unknown { what: "enlist message", tag }.into()),
        })
    }
}

fn read<T: BorshDeserialize, R: Read>(reader: &mut R) -> io::Result<T> {
    T::deserialize_reader(reader)
}
