//! What is said at the door.

use borsh::io::{self, Read};
use borsh::{BorshDeserialize, BorshSerialize};

use super::code::Code;
use crate::governance::SignedKem;
use crate::id::{ContextId, DeltaId};
use crate::wire::{self, Malformed};

/// The version of messages that this program writes and reads.
pub const VERSION: u8 = 1;

/// Bytes of the longest message that is read.
pub const MESSAGE_BYTES: u64 = 256;

const KNOCK: u8 = 1;
const CHALLENGE: u8 = 2;
const PROOF: u8 = 3;
const WELCOME: u8 = 4;
const REFUSED: u8 = 5;

/// One message of the exchange. The tags are fixed for ever.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Message {
    /// The joiner says what it came for.
    Knock {
        /// The context.
        context: ContextId,
        /// The invite whose ticket it holds.
        invite: DeltaId,
    } = KNOCK,
    /// The doorkeeper asks for a proof.
    Challenge {
        /// Made for this exchange alone.
        nonce: [u8; 32],
    } = CHALLENGE,
    /// The joiner proves that it holds the ticket.
    Proof {
        /// Its box key.
        kem: SignedKem,
        /// By the key of the invite.
        signature: [u8; 64],
    } = PROOF,
    /// The joiner is in.
    Welcome {
        /// By this delta.
        grant: DeltaId,
    } = WELCOME,
    /// The joiner is not let in.
    Refused {
        /// Why.
        code: Code,
        /// After how long it may be worth another try.
        retry_after_ms: Option<u64>,
    } = REFUSED,
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
            return Err(Malformed::Unknown { what: "join version", tag: version }.into());
        }
        Message::deserialize_reader(reader).map(Self)
    }
}

impl BorshDeserialize for Message {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        Ok(match u8::deserialize_reader(reader)? {
            KNOCK => Self::Knock { context: read(reader)?, invite: read(reader)? },
            CHALLENGE => Self::Challenge { nonce: read(reader)? },
            PROOF => Self::Proof { kem: read(reader)?, signature: read(reader)? },
            WELCOME => Self::Welcome { grant: read(reader)? },
            REFUSED => Self::Refused { code: read(reader)?, retry_after_ms: read(reader)? },
            tag => return Err(Malformed::Unknown { what: "join message", tag }.into()),
        })
    }
}

fn read<T: BorshDeserialize, R: Read>(reader: &mut R) -> io::Result<T> {
    T::deserialize_reader(reader)
}
