//! The side that wants to come in.

use std::fmt;

use zeroize::Zeroizing;

use super::code::Code;
use super::message::Message;
use super::proof::Proof;
use crate::governance::SignedKem;
use crate::id::{ContextId, DeltaId, PeerId};
use crate::keys::NodeKeys;
use crate::ticket::Ticket;
use crate::wire::Malformed;

/// What comes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// This is to be sent, and an answer awaited.
    Send(Vec<u8>),
    /// This node is in. Until others confirm it, that is the doorkeeper's word.
    Joined {
        /// The delta that says so.
        grant: DeltaId,
    },
    /// It is over.
    Failed(Why),
}

/// Why somebody did not come in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Why {
    /// The doorkeeper does not let them.
    #[error("{code}")]
    Refused {
        /// The reason.
        code: Code,
        /// After how long it may be worth another try.
        retry_after_ms: Option<u64>,
    },
    /// There was no answer in time.
    #[error("the other node did not answer in time: try again, or reach another one")]
    Late,
    /// The doorkeeper said something that was not its turn to say.
    #[error("the other node does not keep to the protocol: reach another one")]
    OutOfOrder,
    /// The doorkeeper said something that is no message.
    #[error("the answer cannot be read ({0}): one of the two nodes may need an upgrade")]
    Unreadable(Malformed),
}

/// The machine of one who holds a ticket.
pub struct Joiner {
    state: State,
    deadline_ms: u64,
}

enum State {
    /// It knocked.
    Knocked(Box<Holder>),
    /// It proved that it holds the ticket.
    Proved,
    /// The exchange is over.
    Over,
}

/// What the proof will be made of.
struct Holder {
    context: ContextId,
    secret: Zeroizing<[u8; 32]>,
    joiner: PeerId,
    kem: SignedKem,
    doorkeeper: PeerId,
}

impl Joiner {
    /// Begins an exchange with a peer, which the stream has proved to be that peer, and returns the
    /// first message to it.
    pub fn start(
        ticket: &Ticket,
        keys: &NodeKeys,
        doorkeeper: PeerId,
        deadline_ms: u64,
    ) -> (Self, Vec<u8>) {
        let holder = Holder {
            context: ticket.context,
            secret: Zeroizing::new(ticket.secret),
            joiner: keys.peer(),
            kem: SignedKem { key: *keys.kem_public().as_bytes(), signature: keys.sign_kem() },
            doorkeeper,
        };
        let knock = Message::Knock { context: ticket.context, invite: ticket.invite };
        (Self { state: State::Knocked(Box::new(holder)), deadline_ms }, knock.encode())
    }

    /// Until when an answer must come; after that, [`Self::on`] fails whatever comes.
    pub const fn deadline_ms(&self) -> u64 {
        self.deadline_ms
    }

    /// Takes in an answer. Once it joined or failed, all that follows is out of order.
    pub fn on(&mut self, answer: &[u8], at_ms: u64) -> Step {
        let state = std::mem::replace(&mut self.state, State::Over);
        if matches!(state, State::Over) {
            return Step::Failed(Why::OutOfOrder);
        }
        if at_ms > self.deadline_ms {
            return Step::Failed(Why::Late);
        }
        match (state, Message::decode(answer)) {
            (_, Err(why)) => Step::Failed(Why::Unreadable(why)),
            (_, Ok(Message::Refused { code, retry_after_ms })) => {
                Step::Failed(Why::Refused { code, retry_after_ms })
            }
            (State::Knocked(holder), Ok(Message::Challenge { nonce })) => {
                self.state = State::Proved;
                Step::Send(holder.prove(nonce).encode())
            }
            (State::Proved, Ok(Message::Welcome { grant })) => Step::Joined { grant },
            (_, Ok(_)) => Step::Failed(Why::OutOfOrder),
        }
    }
}

impl Holder {
    fn prove(self, nonce: [u8; 32]) -> Message {
        let Self { context, secret, joiner, kem, doorkeeper } = self;
        let proof = Proof { context, joiner, kem: kem.key, doorkeeper, nonce };
        Message::Proof { kem, signature: proof.sign(&secret) }
    }
}

impl fmt::Debug for Joiner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Knocked(_) => "knocked",
            State::Proved => "proved",
            State::Over => "over",
        };
        write!(f, "Joiner({state}, until {} ms)", self.deadline_ms)
    }
}
