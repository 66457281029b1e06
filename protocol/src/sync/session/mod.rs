//! One side of a session: what it says to what it hears, until neither side wants anything more.
//!
//! It holds no deltas. What it sends it reads from what is durable, as much as the other side has given
//! credit for; what it receives goes on once it is known to be authentic. What to ask for, of whom and
//! when is decided elsewhere, where all sessions of a context are in view.

mod meeting;

use std::collections::BTreeSet;

use meeting::agreed;

use crate::delta::{Delta, Unverified};
use crate::id::{ContextId, DeltaId, LogId, PeerId, Plane};
use crate::limits::DELTA_BYTES;
use crate::replica::Replica;
use crate::sync::chain::{Broken, Chain};
use crate::sync::compare::Lens;
use crate::sync::message::{Message, NONCE_BYTES, Refused};
use crate::sync::round::{Gift, Offer, Round, Senseless, Share};
use crate::view::View;

/// Bytes of one batch, unless its only delta is longer: few, so that on a slow link it is seen that
/// something comes.
const BATCH_BYTES: usize = 32 * 1024;
/// Bytes that a side may be allowed to send before it has; whoever allows more does not mean it.
const MOST_CREDIT: i64 = 64 * 1024 * 1024;
/// Bytes of batches that wait for the stream: few, so that what is asked for is not held up by what
/// is given.
const MOST_UNSENT: usize = 256 * 1024;

/// What a session wants done.
#[derive(Debug)]
pub enum Said {
    /// A message to the other side.
    Send(Message),
    /// It is known what the other side has of a plane and this one lacks.
    Offered(Plane),
    /// Authentic deltas that were asked for.
    Got(Vec<Delta>),
    /// A want was served as far as it could be.
    Given(Gift),
    /// The other side has the very same governance.
    Agreed,
    /// The other side sent what was not asked for, if it may be a mistake.
    Unasked,
    /// The other side holds what a later program wrote.
    Later,
    /// It is over.
    Over(Ending),
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Both sides held the same from the start.
    Equal,
    /// Each has sent what the other lacked.
    Done,
    /// The other side gave up.
    Refused(Refused),
    /// This side gave up.
    Gave(Refused),
    /// The other side speaks a later version.
    Later,
    /// The other side sent what an honest one does not.
    Broken(Broken),
}

/// Which side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Opener,
    Answerer,
}

/// Who speaks to whom about what.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    /// The context.
    pub context: ContextId,
    /// This node.
    pub us: PeerId,
    /// The peer, as the link has proved.
    pub them: PeerId,
}

#[derive(Debug)]
enum Stage {
    /// Nothing of the other side is known.
    Greeting,
    /// A comparison is to begin once this node has seen to all it was given.
    Before(Plane),
    /// Which logs differ is being found out.
    Comparing(Round),
    /// Each side asks for what it lacks.
    Trading(Round),
    Over,
}

/// One side of a session.
#[derive(Debug)]
pub struct Session {
    pair: Pair,
    side: Side,
    nonce: [u8; NONCE_BYTES],
    lens: Option<Lens>,
    their_logs: [u32; 2],
    /// What it has said that it stores, which decides on both sides where to begin.
    shown: [[u8; 32]; 2],
    stage: Stage,
    /// What has to wait until this node has seen to all it was given.
    deferred: Option<Message>,
    chain: Chain,
    /// Bytes that may be sent; less than none if the last delta was longer than what was left.
    credit: i64,
    /// Bytes of batches that the stream has not taken yet.
    unsent: usize,
    /// Bytes that the other side was allowed to send, and those that it has sent.
    granted: u64,
    received: u64,
}

impl Session {
    /// A side that begins, and what it says first.
    pub fn open(pair: Pair, nonce: [u8; NONCE_BYTES], replica: &Replica) -> (Self, Message) {
        let mut session = Self::new(pair, Side::Opener, nonce);
        let hello = session.hello(replica);
        session.shown = hello.stored;
        (session, Message::Hello(Box::new(hello)))
    }

    /// A side that waits for the other to begin.
    pub fn answer(pair: Pair, nonce: [u8; NONCE_BYTES]) -> Self {
        Self::new(pair, Side::Answerer, nonce)
    }

    fn new(pair: Pair, side: Side, nonce: [u8; NONCE_BYTES]) -> Self {
        Self {
            pair,
            side,
            nonce,
            lens: None,
            their_logs: [0; 2],
            shown: [[0; 32]; 2],
            stage: Stage::Greeting,
            deferred: None,
            chain: Chain::default(),
            credit: 0,
            unsent: 0,
            granted: 0,
            received: 0,
        }
    }

    /// Whether nothing is to be said or heard any more.
    pub const fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// Whether it is the other side's turn: it owes an answer, or bytes for which it has credit.
    pub fn is_owed(&self) -> bool {
        match &self.stage {
            Stage::Greeting | Stage::Comparing(_) => true,
            Stage::Trading(round) => {
                round.is_cancelling() || (round.is_waiting() && self.received < self.granted)
            }
            Stage::Before(_) => self.side == Side::Opener && self.deferred.is_none(),
            Stage::Over => false,
        }
    }

    /// The stream has taken all that was said.
    pub const fn sent(&mut self) {
        self.unsent = 0;
    }

    /// Bytes that the other side has sent beyond what it was allowed to: the rest of its last delta.
    pub const fn overdrawn(&self) -> u64 {
        self.received.saturating_sub(self.granted)
    }

    /// Whether it is this side's turn to compare, once it has seen to what it was given.
    pub const fn is_putting_off(&self) -> bool {
        match &self.stage {
            Stage::Before(_) => matches!(self.side, Side::Answerer) || self.deferred.is_some(),
            _ => false,
        }
    }

    /// Whether something of a log came without a good signature.
    pub fn is_frayed(&self, log: &LogId) -> bool {
        self.chain.is_frayed(log)
    }

    /// Whether something that was asked for has not been given yet.
    pub fn is_waiting(&self) -> bool {
        matches!(&self.stage, Stage::Trading(round) if round.is_waiting())
    }

    /// Takes off the list of offers what has come some other way.
    pub fn recheck(&mut self, view: &impl View) {
        if let Stage::Trading(round) = &mut self.stage {
            round.recheck(view);
        }
    }

    /// All bytes that the other side was ever allowed to send.
    pub const fn granted(&self) -> u64 {
        self.granted
    }

    /// Bytes that the other side may still send.
    pub const fn unused_credit(&self) -> u64 {
        self.granted.saturating_sub(self.received)
    }

    /// The plane that is traded, and what the other side has of it and this one lacks.
    pub fn offers(&self) -> Option<(Plane, impl Iterator<Item = Offer> + '_)> {
        let Stage::Trading(round) = &self.stage else { return None };
        (!round.is_sated).then(|| (round.plane, round.offers.values().copied()))
    }

    /// Asks for some of what is offered, and lets the other side send so many more bytes. Returns the
    /// number of the want.
    pub fn want(
        &mut self,
        shares: Vec<Share>,
        credit: u32,
        view: &impl View,
        said: &mut Vec<Said>,
    ) -> Option<u32> {
        let Stage::Trading(round) = &mut self.stage else { return None };
        let message = round.want(shares, credit, view);
        self.granted += u64::from(credit);
        let number = if let Message::Want { number, .. } = message { Some(number) } else { None };
        said.push(Said::Send(message));
        number
    }

    /// Lets the other side send so many more bytes.
    pub fn grant(&mut self, bytes: u32) -> Said {
        self.granted += u64::from(bytes);
        Said::Send(Message::Credit { bytes })
    }

    /// Wants no more of this plane.
    pub fn be_sated(&mut self, said: &mut Vec<Said>) {
        if let Stage::Trading(round) = &mut self.stage
            && !round.is_sated
            && !round.is_waiting()
        {
            round.is_sated = true;
            said.push(Said::Send(Message::Done { plane: round.plane }));
        }
    }

    /// Takes a message. `calm` says that this node has seen to everything it was given.
    pub fn on(
        &mut self,
        message: Message,
        calm: bool,
        replica: &Replica,
        view: &impl View,
    ) -> Vec<Said> {
        let mut said = Vec::new();
        if self.is_over() {
            return said;
        }
        let heard = match message {
            Message::Hello(hello) => {
                self.greet(&hello, replica, &mut said);
                Ok(())
            }
            Message::Equal => self.equal(&mut said),
            Message::Groups { .. } => self.defer(message),
            Message::Lines { plane, governance, groups, lines } => {
                said.extend(agreed(replica, &governance));
                self.lines(plane, &groups, &lines, &mut said)
            }
            Message::Ends { plane, ends } => self.ends(plane, ends, (replica, view), &mut said),
            Message::Want { number, credit, stretches } => {
                let trusted = self.trust(credit);
                trusted.and_then(|()| self.trading()?.serve(number, stretches, view))
            }
            Message::Given { number, apart } => {
                let given = self.trading().and_then(|round| round.given(number, apart));
                given.map(|gift| said.push(Said::Given(gift)))
            }
            Message::Cancel { number } => self.trading().map(|round| round.drop_want(number)),
            Message::Batch { deltas } => self.receive(&deltas, replica, &mut said),
            Message::Credit { bytes } => self.trust(bytes),
            Message::Done { plane } => self.heard_done(plane),
            Message::Refused { why, .. } => {
                self.end(Ending::Refused(why), &mut said);
                Ok(())
            }
        };
        if heard.is_err() {
            self.end(Ending::Gave(Refused::Protocol), &mut said);
        }
        self.pump(calm, replica, view, &mut said);
        said
    }

    /// Goes on where something has changed.
    pub fn go_on(&mut self, calm: bool, replica: &Replica, view: &impl View) -> Vec<Said> {
        let mut said = Vec::new();
        self.pump(calm, replica, view, &mut said);
        said
    }

    /// Wants no more of what it asked for; what is on its way is still taken.
    pub fn cancel(&mut self) -> Vec<Said> {
        let Stage::Trading(round) = &mut self.stage else { return Vec::new() };
        let cancelled = round.cancel().into_iter();
        cancelled.map(|number| Said::Send(Message::Cancel { number })).collect()
    }

    /// Gives up, for a reason that the other side is told.
    pub fn give_up(&mut self, why: Refused) -> Vec<Said> {
        let mut said = Vec::new();
        if !self.is_over() {
            self.end(Ending::Gave(why), &mut said);
        }
        said
    }

    /// The other side said what only a later program understands.
    pub fn part(&mut self) -> Vec<Said> {
        let refused = Message::Refused { why: Refused::Protocol, retry_after_ms: None };
        let mut said = vec![Said::Send(refused)];
        self.end(Ending::Later, &mut said);
        said
    }

    /// Whether the other side has sent what a later program wrote.
    pub const fn met_later(&self) -> bool {
        self.chain.met_later()
    }

    /// The other side lets this one send so many more bytes.
    fn trust(&mut self, bytes: u32) -> Result<(), Senseless> {
        self.credit = self.credit.saturating_add(bytes.into());
        if self.credit > MOST_CREDIT { Err(Senseless) } else { Ok(()) }
    }

    fn trading(&mut self) -> Result<&mut Round, Senseless> {
        match &mut self.stage {
            Stage::Trading(round) => Ok(round),
            _ => Err(Senseless),
        }
    }

    fn end(&mut self, ending: Ending, said: &mut Vec<Said>) {
        if let Ending::Gave(why) = ending {
            said.push(Said::Send(Message::Refused { why, retry_after_ms: None }));
        }
        self.stage = Stage::Over;
        said.push(Said::Over(ending));
    }

    fn receive(
        &mut self,
        deltas: &[Vec<u8>],
        replica: &Replica,
        said: &mut Vec<Said>,
    ) -> Result<(), Senseless> {
        self.received += deltas.iter().map(|bytes| bytes.len() as u64).sum::<u64>();
        // Whoever has any credit left may send one whole delta.
        let overdrawn = self.received > self.granted + DELTA_BYTES;
        if overdrawn || !self.trading()?.is_waiting() {
            return Err(Senseless);
        }
        let met_later = self.chain.met_later();
        match self.chain.extend(deltas, replica.roster()) {
            Ok(authentic) => {
                if !met_later && self.chain.met_later() {
                    said.push(Said::Later);
                }
                let ids: Vec<_> = authentic.iter().map(Delta::id).collect();
                let expected = self.trading()?.expected(authentic);
                if expected.len() < ids.len() && was_unasked(deltas, &ids, &expected) {
                    said.push(Said::Unasked);
                }
                said.push(Said::Got(expected));
            }
            Err(why) => {
                let refused = Message::Refused { why: Refused::Protocol, retry_after_ms: None };
                said.push(Said::Send(refused));
                self.end(Ending::Broken(why), said);
            }
        }
        Ok(())
    }

    fn heard_done(&mut self, plane: Plane) -> Result<(), Senseless> {
        let round = self.trading()?;
        if round.plane != plane || round.they_are_sated {
            return Err(Senseless);
        }
        round.they_are_sated = true;
        Ok(())
    }

    fn pump(&mut self, calm: bool, replica: &Replica, view: &impl View, said: &mut Vec<Said>) {
        if calm {
            self.compare_next(replica, view, said);
        }
        self.send(view, said);
        let Stage::Trading(round) = &self.stage else { return };
        if round.is_over() {
            match round.plane {
                Plane::Governance => {
                    self.stage = Stage::Before(Plane::Data);
                    if calm {
                        self.compare_next(replica, view, said);
                    }
                }
                Plane::Data => self.end(Ending::Done, said),
            }
        }
    }

    fn send(&mut self, view: &impl View, said: &mut Vec<Said>) {
        let Stage::Trading(round) = &mut self.stage else { return };
        while self.unsent < MOST_UNSENT {
            let room = usize::try_from(self.credit).unwrap_or_default().min(BATCH_BYTES);
            let Some(message) = round.give(room, view) else { return };
            if let Message::Batch { deltas } = &message {
                let bytes: usize = deltas.iter().map(Vec::len).sum();
                self.unsent += bytes;
                self.credit = self.credit.saturating_sub_unsigned(bytes as u64);
            }
            said.push(Said::Send(message));
        }
    }
}

/// Whether some of what came in one message was not asked for. What had waited for a signature was,
/// when it came.
fn was_unasked(message: &[Vec<u8>], authentic: &[DeltaId], expected: &[Delta]) -> bool {
    let parsed = message.iter().filter_map(|bytes| Unverified::parse(bytes.as_slice()).ok());
    let fresh: BTreeSet<_> = parsed.map(|delta| delta.id()).collect();
    let expected: BTreeSet<_> = expected.iter().map(Delta::id).collect();
    authentic.iter().any(|id| fresh.contains(id) && !expected.contains(id))
}

/// Whether a peer is a member or a replica.
pub(super) fn takes_part(peer: PeerId, replica: &Replica) -> bool {
    let roster = replica.roster();
    roster.role(peer).is_some() || roster.replicas().contains(&peer)
}
