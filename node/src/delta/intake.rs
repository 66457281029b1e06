//! What becomes of what is heard.

use std::convert::Infallible;

use mangrove_network::{News, Opinion};
use mangrove_protocol::machine::{Machine, Turn, Verdict};

use super::ingress::Message;
use crate::drive::Begun;

type Hands = fn(Infallible) -> Option<Begun<Message>>;

/// The state-delta actor's machine, and its hands, which have nothing to do.
pub(crate) fn intake() -> (Intake, Hands) {
    (Intake, |never| match never {})
}

/// The machine of the state-delta actor.
#[derive(Debug, Default)]
pub(crate) struct Intake;

impl Machine for Intake {
    type Event = Message;
    type Effect = Infallible;

    fn on(&mut self, event: Message, _turn: &mut Turn<'_, Infallible>) -> Verdict {
        match event {
            Message::Heard(heard) => heard.judge.settle(Opinion::Ignore),
            Message::News(News::Connected(peer)) => tracing::info!(%peer, "connected"),
            Message::News(News::Disconnected(peer)) => tracing::info!(%peer, "disconnected"),
            Message::News(News::Listening(address)) => tracing::info!(%address, "listening"),
            Message::News(News::NotListening(address)) => {
                tracing::warn!(%address, "no longer listening");
            }
            Message::News(News::Topics { .. } | News::Missed { .. }) => {}
        }
        Verdict::Go
    }
}
