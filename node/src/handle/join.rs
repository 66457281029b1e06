//! The exchange by which this node is let into a context.

use std::time::Duration;

use mangrove_network::{Network, Open, StreamError};
use mangrove_protocol::join::{EXCHANGE_MS, Joiner, Step, Why};
use mangrove_protocol::keys::NodeKeys;
use mangrove_protocol::ticket::Ticket;

use crate::drive::Clock;
use crate::sync::JOIN;

/// How long an answer may be waited for.
const ANSWER: Duration = Duration::from_secs(10);
/// After how long it is tried again to reach somebody.
const AGAIN: Duration = Duration::from_millis(200);

/// Why this node was not let in.
#[derive(Debug)]
pub(super) enum Refusal {
    /// For good.
    Final(String),
    /// Trying again after so long may help.
    Passing(String, Duration),
}

/// Asks the issuer of a ticket to let this node in.
pub(super) async fn exchange(
    network: &Network,
    ticket: &Ticket,
    keys: &NodeKeys,
) -> Result<(), Refusal> {
    let stream = network.open(ticket.inviter, JOIN).await.map_err(broken)?;
    let (mut sender, mut receiver) = stream.split();
    let clock = Clock::system();
    let deadline_ms = clock.now_ms() + EXCHANGE_MS;
    let (mut joiner, mut next) = Joiner::start(ticket, keys, ticket.inviter, deadline_ms);
    loop {
        sender.send(&next).await.map_err(broken)?;
        let answer = receiver.receive(ANSWER).await.map_err(broken)?;
        let answer = answer.ok_or_else(|| broken(StreamError::Ended))?;
        match joiner.on(&answer, clock.now_ms()) {
            Step::Send(message) => next = message,
            Step::Joined { grant } => {
                tracing::info!(context = %ticket.context, %grant, "let in");
                return Ok(());
            }
            Step::Failed(Why::Refused { code, .. }) => return Err(code.into()),
            Step::Failed(why) => return Err(Refusal::Final(why.to_string())),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
fn broken(why: StreamError) -> Refusal {
    Refusal::Passing(why.to_string(), AGAIN)
}
