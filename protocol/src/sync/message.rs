//! What is said in a session.

use std::cmp::Reverse;

use borsh::{BorshDeserialize, BorshSerialize};

use super::compare::{Digest, End, Line, Name, Point, place};
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
const WANT: u8 = 6;
const GIVEN: u8 = 7;
const CANCEL: u8 = 8;
const BATCH: u8 = 9;
const CREDIT: u8 = 10;
const DONE: u8 = 11;
const REFUSED: u8 = 12;
// 13 and 14 are kept for snapshots.

/// Stretches of one want, and points of one of them, at most.
pub(super) const MOST_STRETCHES: usize = 8_192;
pub(super) const MOST_POINTS: usize = 512;

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

/// What is wanted of one log.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Stretch {
    /// Which log.
    pub name: Name,
    /// What of it.
    pub part: Part,
}

/// What is wanted of a log. Places are those of the one who sends; 0 is before the first, and as an
/// end it is the last.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Part {
    /// What follows where the side that wants it has said that it ends.
    Rest {
        /// Up to this place.
        #[borsh(serialize_with = "place::write", deserialize_with = "place::read")]
        until: u64,
    } = 1,
    /// What stands between two places of a log without branches.
    Within {
        /// After this one.
        #[borsh(serialize_with = "place::write", deserialize_with = "place::read")]
        after: u64,
        /// Up to this one.
        #[borsh(serialize_with = "place::write", deserialize_with = "place::read")]
        until: u64,
    } = 2,
    /// All but what is before these points, from the ends of the log back, ever further apart.
    Apart {
        /// The last first.
        points: Vec<Point>,
    } = 3,
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
    /// Deltas that the sender lacks are wanted, and may be sent within the credit that comes with this.
    Want {
        /// Counts the wants of one side.
        number: u32,
        /// Bytes of batches that may be sent, beside those that might be before.
        credit: u32,
        /// Which, ascending by name.
        stretches: Vec<Stretch>,
    } = WANT,
    /// All that was wanted and is held has been sent.
    Given {
        /// Which want it was.
        number: u32,
        /// Logs of which nothing was sent, since the other side does not end on them where it says:
        /// they are apart.
        apart: Vec<Name>,
    } = GIVEN,
    /// What is left of a want is wanted no more; it counts as given.
    Cancel {
        /// Which want it was.
        number: u32,
    } = CANCEL,
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
    /// The sender wants no more of a plane.
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
            Self::Want { stretches, .. } => {
                ascending("stretches", stretches, |stretch| stretch.name)?;
                at_most("stretches", stretches.len(), MOST_STRETCHES)?;
                stretches.iter().try_for_each(|stretch| stretch.part.check())
            }
            Self::Given { apart, .. } => ascending("logs", apart, |name| *name),
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

impl Part {
    fn check(&self) -> Result<(), Malformed> {
        match self {
            Self::Apart { points } => {
                at_most("points", points.len(), MOST_POINTS)?;
                ascending("points", points, |point| Reverse(*point))
            }
            Self::Within { after, until } if *until != 0 && after >= until => {
                Err(Malformed::Invalid { why: "a stretch that ends before it begins".to_owned() })
            }
            Self::Within { .. } | Self::Rest { .. } => Ok(()),
        }
    }
}

fn at_most(what: &'static str, count: usize, most: usize) -> Result<(), Malformed> {
    let max = most as u64;
    if count > most { Err(Malformed::OverLimit { what, max }) } else { Ok(()) }
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
