//! Who may do what in a context: a pure function of the set of governance deltas.
//!
//! Rights are *authorities*: each is conferred by one delta, has a role and a depth, and thereby a
//! rank that never changes. One may act on strictly junior authorities and, downwards, on oneself.
//! Whether a delta counts depends on seniors alone, so that everything is decided from the most
//! senior down, and comes out the same whatever the order of arrival.

mod act;
mod author;
mod authority;
mod boxes;
mod codec;
mod cut;
mod epoch;
mod judge;
mod keyring;
mod ladder;
mod lookup;
mod plan;
mod redemption;
mod refusal;
mod roster;
mod tally;

pub use act::{Act, CutOff, Rotation, SEALED_KEY_BYTES, SealedEpoch, SealedKey, SignedKem};
pub use authority::{Authority, Rank, Role};
pub use codec::{SEALED_NAME_BYTES, VERSION};
pub use epoch::Epoch;
pub use judge::Judgement;
pub use keyring::Keyring;
pub use plan::{Command, Plan, Sight, plan};
pub use redemption::Redemption;
pub use refusal::Refusal;
pub use roster::{Deed, Roster, Standing};
