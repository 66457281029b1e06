//! How replicas are found: a call on a topic that all of them hear, and `/mangrove/enlist/1`, by which
//! one that may come is told what it is for.
//!
//! ```text
//! caller                                 replica whose list of peers has the caller
//! Call on the topic of invites       →
//!                                    ←   opens a stream: Offer{nonce of the call}
//! Hired{context}                     →
//!                                    ←   Taken, once the context is durably begun there
//! ```
//! Instead of `Hired` there may be `Refused{retry after}`, which ends the exchange. The call names no
//! context: which one it is about is told to those alone who are hired. Who the other is, the stream has
//! proved; whether a replica is trusted with what is not sealed (members, roles, sizes, times) is for
//! the caller to decide before it hires. Before it says `Hired` it writes that the replica is enlisted,
//! so that this is no stranger to anybody when it first compares; where no `Taken` follows, it writes
//! that it is not.

mod call;
mod hiring;
mod message;

pub use call::{CALL_BYTES, Call, NONCE_BYTES, Nonce, judge_call};
pub use hiring::{CALLS, Hiring, PEERS_PER_CALL};
pub use message::{MESSAGE_BYTES, Message};

/// The version of calls and messages that this program writes and reads.
pub const VERSION: u8 = 1;
/// How long replicas may offer themselves after a call.
pub const CALL_MS: u64 = 30_000;
/// How long an exchange may take before it is given up.
pub const EXCHANGE_MS: u64 = 30_000;
