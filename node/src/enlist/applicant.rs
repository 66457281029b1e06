//! Who offers this node as a replica: to each caller one offer at a time.

use std::collections::{BTreeSet, VecDeque};

use mangrove_network::Network;
use mangrove_protocol::enlist::{Call, Nonce};
use mangrove_protocol::id::PeerId;
use mangrove_protocol::machine::{Machine, Turn, Verdict};

use super::message::{Message, Outcome};
use super::offer::offer;
use super::pace::Pace;
use crate::directory::Directory;
use crate::drive::{self, Begun};
use crate::stop::Stop;

/// Exchanges at a time, each with another caller.
const MOST_EXCHANGES: usize = 8;
/// Calls that are remembered to have been answered.
const MOST_SETTLED: usize = 1_024;
/// Offers to one caller at once, and how long it is until the next.
const OFFERS: (u64, u64) = (8, 1_000);

/// The machine that offers this node as a replica.
#[derive(Debug)]
pub(crate) struct Applicant {
    /// With whom there is an exchange.
    busy: BTreeSet<PeerId>,
    pace: Pace,
    /// Calls about which nothing more is to be said.
    settled: BTreeSet<(PeerId, Nonce)>,
    order: VecDeque<(PeerId, Nonce)>,
}

/// An exchange to be had with who calls.
#[derive(Debug)]
pub(crate) struct Offer(Call);

impl Default for Applicant {
    fn default() -> Self {
        let (at_once, every_ms) = OFFERS;
        let pace = Pace::new(at_once, every_ms);
        Self { busy: BTreeSet::new(), pace, settled: BTreeSet::new(), order: VecDeque::new() }
    }
}

impl Applicant {
    /// Somebody calls. What is not answered now may be when they call again.
    fn called(&mut self, call: Call, turn: &mut Turn<'_, Offer>) {
        let caller = call.caller;
        let is_free = self.busy.len() < MOST_EXCHANGES && !self.busy.contains(&caller);
        let is_settled = self.settled.contains(&(caller, call.nonce));
        if is_free && !is_settled && self.pace.take(caller, turn.now_ms()) {
            self.busy.insert(caller);
            turn.want(Offer(call));
        }
    }

    fn settle(&mut self, call: (PeerId, Nonce)) {
        if self.settled.insert(call) {
            self.order.push_back(call);
        }
        while self.order.len() > MOST_SETTLED {
            if let Some(oldest) = self.order.pop_front() {
                self.settled.remove(&oldest);
            }
        }
    }
}

impl Machine for Applicant {
    type Event = Message;
    type Effect = Offer;

    fn on(&mut self, event: Message, turn: &mut Turn<'_, Offer>) -> Verdict {
        match event {
            Message::Called(call) => self.called(call, turn),
            Message::Ended(caller, nonce, outcome) => {
                self.busy.remove(&caller);
                if outcome == Outcome::Settled {
                    self.settle((caller, nonce));
                }
            }
        }
        Verdict::Go
    }
}

/// What carries out what the applicant wants.
#[derive(Debug)]
pub(crate) struct Hands {
    pub(crate) network: Network,
    pub(crate) directory: Directory,
    /// When this is told, all conversations end.
    pub(crate) ending: Stop,
}

impl drive::Hands<Applicant> for Hands {
    fn carry_out(&mut self, Offer(call): Offer) -> Option<Begun<Message>> {
        let (network, directory) = (self.network.clone(), self.directory.clone());
        let (ending, caller, nonce) = (self.ending.clone(), call.caller, call.nonce);
        let work = async move {
            let outcome = tokio::select! {
                () = ending.told() => Outcome::Open,
                outcome = offer(&call, (&network, &directory)) => outcome,
            };
            Message::Ended(caller, nonce, outcome)
        };
        Some(Begun::new("offer", work, Message::Ended(caller, nonce, Outcome::Open)))
    }
}

#[cfg(test)]
mod tests {
    use mangrove_protocol::keys::NodeKeys;

    use super::*;

    /// Says something to an applicant, and counts the offers that it wants made.
    fn tell(applicant: &mut Applicant, message: Message, now_ms: u64) -> usize {
        let mut entropy = |_: &mut [u8]| {};
        let mut turn = Turn::new(now_ms, &mut entropy);
        assert_eq!(applicant.on(message, &mut turn), Verdict::Go);
        turn.into_effects().len()
    }

    fn call(caller: u8, nonce: u8) -> Message {
        Message::Called(Call::sign([nonce; 16], 1, &[], &NodeKeys::from_bytes(&[caller; 64])))
    }

    fn ended(caller: u8, nonce: u8, outcome: Outcome) -> Message {
        Message::Ended(NodeKeys::from_bytes(&[caller; 64]).peer(), [nonce; 16], outcome)
    }

    #[test]
    fn to_each_caller_there_is_one_offer_at_a_time() {
        let mut one = Applicant::default();
        assert_eq!(tell(&mut one, call(1, 1), 0), 1);
        assert_eq!(tell(&mut one, call(1, 2), 0), 0, "with this one there is an exchange");
        assert_eq!(tell(&mut one, call(2, 1), 0), 1);
        tell(&mut one, ended(1, 1, Outcome::Settled), 0);
        assert_eq!(tell(&mut one, call(1, 2), 0), 1);
    }

    #[test]
    fn what_was_answered_is_not_asked_again_and_what_was_not_is() {
        let mut one = Applicant::default();
        assert_eq!(tell(&mut one, call(1, 1), 0), 1);
        tell(&mut one, ended(1, 1, Outcome::Open), 0);
        assert_eq!(tell(&mut one, call(1, 1), 0), 1);
        tell(&mut one, ended(1, 1, Outcome::Settled), 0);
        assert_eq!(tell(&mut one, call(1, 1), 0), 0);
        for nonce in 0..=MOST_SETTLED {
            let mut bytes = [0xff; 16];
            bytes[..8].copy_from_slice(&nonce.to_le_bytes());
            let caller = NodeKeys::from_bytes(&[1; 64]).peer();
            tell(&mut one, Message::Ended(caller, bytes, Outcome::Settled), 0);
        }
        assert_eq!((one.settled.len(), one.order.len()), (MOST_SETTLED, MOST_SETTLED));
    }

    #[test]
    fn a_caller_that_never_hires_is_offered_to_at_a_pace_and_all_of_them_are_bounded() {
        let mut one = Applicant::default();
        let mut rounds = |from: u8, now_ms| {
            let offers = (from..from + 20).filter(|nonce| {
                let offered = tell(&mut one, call(1, *nonce), now_ms) == 1;
                tell(&mut one, ended(1, *nonce, Outcome::Open), now_ms);
                offered
            });
            offers.count()
        };
        assert_eq!((rounds(0, 0), rounds(20, 0), rounds(40, 1_000)), (8, 0, 1));
        let offers: usize = (2..40).map(|caller| tell(&mut one, call(caller, 1), 0)).sum();
        assert_eq!(offers, MOST_EXCHANGES);
    }
}
