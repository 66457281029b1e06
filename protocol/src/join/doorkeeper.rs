//! The side that lets somebody in.

use super::code::Code;
use super::message::Message;
use super::proof::Proof;
use crate::governance::{Act, Redemption, Refusal, Roster};
use crate::id::{ContextId, DeltaId, PeerId};
use crate::keys::KemPublic;

/// Who stands at whose door, as the stream has proved, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visitor {
    /// Who wants to come in.
    pub joiner: PeerId,
    /// Who is asked.
    pub doorkeeper: PeerId,
    /// Until when the proof must come.
    pub deadline_ms: u64,
}

/// The machine of one who is asked to let somebody in, after the knock. What it returns as an error
/// is the refusal to be sent: with that the exchange is over.
#[derive(Debug)]
pub struct Doorkeeper {
    visitor: Visitor,
    context: ContextId,
    invite: DeltaId,
    /// The public key of the invite.
    key: [u8; 32],
    nonce: [u8; 32],
}

/// A joiner who proved to hold a ticket and waits for an answer.
#[derive(Debug)]
#[must_use = "the joiner waits for an answer"]
pub struct Visit(());

impl Doorkeeper {
    /// The context and the invite that a first message asks for: where to look for the roster.
    pub fn hear(first: &[u8]) -> Result<(ContextId, DeltaId), Vec<u8>> {
        match Message::decode(first) {
            Ok(Message::Knock { context, invite }) => Ok((context, invite)),
            _ => Err(refuse(Code::Unreadable, None)),
        }
    }

    /// Answers a knock with a challenge; `nonce` must be random. Why the invite may not let anybody
    /// in is not told before the proof, and not decided before either.
    pub fn challenge(
        visitor: Visitor,
        roster: &Roster,
        invite: DeltaId,
        nonce: [u8; 32],
    ) -> Result<(Self, Vec<u8>), Vec<u8>> {
        let Some(Act::Invite { key, .. }) = roster.invite(invite).map(|deed| &deed.act) else {
            return Err(refuse(Code::of(&Refusal::UnknownInvite), None));
        };
        let doorkeeper = Self { visitor, context: roster.context(), invite, key: *key, nonce };
        Ok((doorkeeper, Message::Challenge { nonce }.encode()))
    }

    /// Takes in the proof: whom to let in, which is for [`crate::governance::plan`] to decide.
    pub fn check(self, proof: &[u8], at_ms: u64) -> Result<(Visit, Redemption), Vec<u8>> {
        let Visitor { joiner, doorkeeper, deadline_ms } = self.visitor;
        if at_ms > deadline_ms {
            return Err(refuse(Code::Late, None));
        }
        let Ok(Message::Proof { kem, signature }) = Message::decode(proof) else {
            return Err(refuse(Code::Unreadable, None));
        };
        let (context, nonce) = (self.context, self.nonce);
        let proof = Proof { context, joiner, kem: kem.key, doorkeeper, nonce };
        if !proof.is_signed_by(&self.key, &signature) {
            return Err(refuse(Code::of(&Refusal::BadProof), None));
        }
        if !KemPublic::from_bytes(kem.key).is_signed_by(joiner, &kem.signature) {
            return Err(refuse(Code::of(&Refusal::BadKemKey), None));
        }
        Ok((Visit(()), Redemption { invite: self.invite, member: joiner, kem }))
    }
}

impl Visit {
    /// The last message: the grant, once it is synced to disk, or why there is none.
    pub fn answer(self, outcome: Result<DeltaId, &Refusal>) -> Vec<u8> {
        match outcome {
            Ok(grant) => Message::Welcome { grant }.encode(),
            Err(refusal) => refuse(Code::of(refusal), None),
        }
    }

    /// The last message, if it was not decided: nothing was written, and the joiner may come again.
    pub fn put_off(self, code: Code, retry_after_ms: Option<u64>) -> Vec<u8> {
        refuse(code, retry_after_ms)
    }
}

/// A refusal, which ends an exchange at any point. [`Code::Busy`] says when to come again; a node
/// that knows nothing of the context says [`Code::UnknownInvite`].
pub fn refuse(code: Code, retry_after_ms: Option<u64>) -> Vec<u8> {
    Message::Refused { code, retry_after_ms }.encode()
}
