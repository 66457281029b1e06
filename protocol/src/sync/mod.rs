//! `/mangrove/sync/1`: how two nodes come to hold the same deltas of a context.
//!
//! ```text
//! opener                                    answerer
//! Hello{tag, proof, nonce, digests}     →
//!                                       ←   Hello, or Equal: the end
//! for governance, then for data, if they differ:
//!                                       ←   Groups{digest of each group of logs}
//! Lines{logs of groups that differ}     →
//!                                       ←   Ends{of logs that differ}
//! Ends{of those the opener has more of} →
//! Want, Credit … Batch, Given … Done    ⇄   Want, Credit … Batch, Given … Done
//! ```
//! It takes the same few round trips whatever the history: logs are compared by where they end, and a
//! log that ends earlier on one side lacks exactly what follows. All names and digests of a comparison
//! are made under the nonces of both sides, so they can be short, and nobody can look for two that
//! collide. What is found equal by chance is found different the next time.
//!
//! Who lacks something asks for it, and gives credit for as many bytes as it has room for.

mod chain;
mod compare;
pub mod desk;
mod ledger;
mod message;
mod round;
mod run;
mod session;
mod work;

pub use chain::Broken;
pub use compare::{
    Difference, Digest, End, Hint, Lens, Line, Name, Outline, Point, differing, groups_for,
};
pub use ledger::{Ledger, Offence};
pub use message::{FRAME_BYTES, Hello, Message, NONCE_BYTES, Part, Refused, Stretch, VERSION};
pub use round::{Gift, Offer, Share, Span};
pub use session::{Ending, Pair, Said, Session};
pub use work::{Came, Link, Work};
