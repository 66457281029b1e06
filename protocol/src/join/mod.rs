//! `/mangrove/join/1`: how somebody with a ticket is let in.
//!
//! ```text
//! joiner                                 doorkeeper, who may redeem the invite
//! Knock{context, invite}             →
//!                                    ←   Challenge{nonce}
//! Proof{box key, signature}          →
//!                                    ←   Welcome{grant}
//! ```
//! Instead of each answer there may be `Refused{code, retry after}`, which ends the exchange. The
//! signature is by the key of the invite, over both peers and the nonce, so that it is of no use to
//! anybody else and at no other time. Both sides are machines without clock, dice or stream: who the
//! other is, the stream has proved; the time and the nonce are arguments. Each exchange has a deadline
//! and at most two messages in each direction.

mod code;
mod doorkeeper;
mod joiner;
mod message;
mod proof;

pub use code::Code;
pub use doorkeeper::{Doorkeeper, Visit, Visitor, refuse};
pub use joiner::{Joiner, Step, Why};
pub use message::{MESSAGE_BYTES, Message, VERSION};

/// How long an exchange may take before it is given up.
pub const EXCHANGE_MS: u64 = 30_000;
