//! What is said in a session.

use std::cmp::Reverse;

use borsh::{BorshDeserialize, BorshSerialize};

use super::compare::{Digest, End, Line, Name, Point};
use crate::id::{ContextId, PeerId, Plane};
use crate::limits::SYNC_FRAME_BYTES;
use crate::wire::{self, Malformed};

/// The version of messages that this program writes and reads.
pub const VERSION: u8 = 1;
/// Bytes of the longest message that is read.
pub const FRAME_BYTES: u64 = SYNC_FRAME_BYTES;
/// Bytes of what each side says at random.
pub const NONCE_BYTES: usize = 16;

/// Says what a tag and a proof are of.
const TAG_CONTEXT: &str = "mangrove 2026 sync context tag v1";
const PROOF_CONTEXT: &str = "mangrove 2026 sync proof v1";

const HELLO: u8 = 1;
const EQUAL: u8 = 2;
const GROUPS: u8 = 3;
const LINES: u8 = 4;
const ENDS: u8 = 5;
const LOCATOR: u8 = 6;
const COMMON: u8 = 7;
const BATCH: u8 = 8;
const CREDIT: u8 = 9;
const DONE: u8 = 10;
const REFUSED: u8 = 11;
// 12 and 13 are kept for snapshots.

/// How a side begins.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Hello {
    /// Which context, for those who host it.
    pub tag: [u8; 16],
    /// That the sender knows the context, and not its tag alone.
    pub proof: [u8; 32],
    /// Drawn for this session.
    pub nonce: [u8; NONCE_BYTES],
    /// Logs of governance, and of data.
    pub logs: [u32; 2],
    /// Digests of what is stored of governance, and of data.
    pub stored: [[u8; 32]; 2],
    /// A digest of what of governance has had its turn.
    pub governance: [u8; 32],
    /// A digest of all that has had its turn.
    pub applied: [u8; 32],
}

impl Hello {
    /// What a context is called before both sides are known to host it.
    pub fn tag(context: ContextId) -> [u8; 16] {
        let mut tag = [0; 16];
        let mut hasher = blake3::Hasher::new_derive_key(TAG_CONTEXT);
        hasher.update(context.as_bytes()).finalize_xof().fill(&mut tag);
        tag
    }

    /// Proof that one who speaks to another knows a context. Good for this pair in this direction,
    /// and for one nonce.
    pub fn proof(
        context: ContextId,
        from: PeerId,
        to: PeerId,
        nonce: &[u8; NONCE_BYTES],
    ) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key(PROOF_CONTEXT);
        hasher.update(context.as_bytes()).update(from.as_bytes()).update(to.as_bytes());
        *hasher.update(nonce).finalize().as_bytes()
    }
}

/// Why a session ends without having done its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Refused {
    /// No such context is hosted, or the peer did not prove that it knows it.
    UnknownContext = 1,
    /// The peer is no member; it was given governance and no more.
    NotAMember = 2,
    /// Too much is going on.
    Busy = 3,
    /// The node is about to stop.
    Stopping = 4,
    /// What the peer said makes no sense here.
    Protocol = 5,
}

/// One message. The tags are fixed for ever.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Message {
    /// How a side begins.
    Hello(Box<Hello>) = HELLO,
    /// Both sides hold the same: the end.
    Equal = EQUAL,
    /// A digest of each group of logs.
    Groups {
        /// Of which logs.
        plane: Plane,
        /// A digest of the governance that has had its turn by now.
        governance: [u8; 32],
        /// By number.
        digests: Vec<Digest>,
    } = GROUPS,
    /// The logs of groups that differ.
    Lines {
        /// Of which logs.
        plane: Plane,
        /// A digest of the governance that has had its turn by now.
        governance: [u8; 32],
        /// Which groups, ascending.
        groups: Vec<u16>,
        /// Ascending.
        lines: Vec<Line>,
    } = LINES,
    /// Where logs end.
    Ends {
        /// Of which logs.
        plane: Plane,
        /// Ascending by name.
        ends: Vec<End>,
    } = ENDS,
    /// Deltas of a log that may be common, from its end back, ever further apart.
    Locator {
        /// Which log.
        name: Name,
        /// The last first.
        points: Vec<Point>,
    } = LOCATOR,
    /// Those of these points that are held.
    Common {
        /// Which log.
        name: Name,
        /// The last first.
        points: Vec<Point>,
    } = COMMON,
    /// Deltas in rows of one log, the earliest first.
    Batch {
        /// As they are stored.
        deltas: Vec<Vec<u8>>,
    } = BATCH,
    /// So many more bytes of batches may be sent.
    Credit {
        /// How many.
        bytes: u32,
    } = CREDIT,
    /// All that the other side lacked of a plane is sent.
    Done {
        /// Which.
        plane: Plane,
    } = DONE,
    /// The end, before the work is done.
    Refused {
        /// Why.
        why: Refused,
        /// After how long it may be worth another try.
        retry_after_ms: Option<u64>,
    } = REFUSED,
}

impl Message {
    /// Reads a message.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let (version, tag) = (bytes.first(), bytes.get(1));
        if let Some(&tag) = version.filter(|it| **it != VERSION) {
            return Err(Malformed::Unknown { what: "sync version", tag });
        }
        if let Some(&tag) = tag.filter(|it| !(HELLO..=REFUSED).contains(*it)) {
            return Err(Malformed::Unknown { what: "sync message", tag });
        }
        let (_, message) = wire::decode::<(u8, Self)>(bytes, FRAME_BYTES)?;
        message.check()?;
        Ok(message)
    }

    /// What has an order is in it, and nothing is said twice.
    fn check(&self) -> Result<(), Malformed> {
        match self {
            Self::Groups { digests, .. } if !digests.len().is_power_of_two() => {
                Err(Malformed::Invalid { why: "groups that are no power of two".to_owned() })
            }
            Self::Lines { groups, lines, .. } => {
                ascending("groups", groups, |group| *group)?;
                ascending("lines", lines, |line| line.name)
            }
            Self::Ends { ends, .. } => {
                ascending("ends", ends, |end| end.name)?;
                ends.iter().try_for_each(|end| ascending("tips", &end.tips, |point| *point))
            }
            Self::Locator { points, .. } | Self::Common { points, .. } => {
                ascending("points", points, |point| Reverse(*point))
            }
            Self::Batch { deltas } if deltas.is_empty() => {
                Err(Malformed::Empty { what: "a batch" })
            }
            _ => Ok(()),
        }
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(&(VERSION, self))
    }
}

fn ascending<T, K: Ord>(
    what: &'static str,
    parts: &[T],
    order: impl Fn(&T) -> K,
) -> Result<(), Malformed> {
    let ascend = parts.windows(2).all(|pair| match pair {
        [one, next] => order(one) < order(next),
        _ => true,
    });
    if ascend { Ok(()) } else { Err(Malformed::NotCanonical { what }) }
}
