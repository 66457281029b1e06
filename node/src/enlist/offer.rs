//! The exchange by which this node becomes a replica of a context.

use std::time::Duration;

use mangrove_network::{Multiaddr, Network, Open, Source, StreamError, Why};
use mangrove_protocol::enlist::{Call, EXCHANGE_MS, Message};
use mangrove_protocol::id::{ContextId, PeerId};
use tokio::time::{sleep, timeout};

use super::ENLIST;
use super::message::Outcome;
use crate::context::{self, Ask, Beginning, Given};
use crate::directory::{Directory, State};
use crate::fault::{Fault, RETRY};

/// How long all of it may take.
const EXCHANGE: Duration = Duration::from_millis(EXCHANGE_MS);
/// How long an answer may be waited for: before the caller hires, it writes that down.
const ANSWER: Duration = Duration::from_secs(15);
/// For how long the caller is held on to afterwards, until what it knows is here.
const ARRIVING: Duration = Duration::from_secs(10);

/// Offers this node to who calls, and takes what it is hired for.
pub(super) async fn offer(call: &Call, (network, directory): (&Network, &Directory)) -> Outcome {
    let caller = call.caller;
    let addresses = call.addresses.iter().filter_map(|it| it.parse::<Multiaddr>().ok());
    network.learn(caller, addresses.collect(), Source::Told).await;
    network.want(caller, Why::Enlist).await;
    let exchanged = timeout(EXCHANGE, exchange(call, (network, directory))).await;
    let outcome = match exchanged {
        Ok(Ok(Some(context))) => {
            tracing::info!(%context, %caller, "keeps a context as its replica");
            arrive(context, directory).await;
            Outcome::Settled
        }
        Ok(Ok(None)) => Outcome::Settled,
        Ok(Err(why)) => {
            tracing::debug!(%caller, %why, "an offer came to nothing");
            Outcome::Open
        }
        Err(_) => Outcome::Open,
    };
    network.unwant(caller, Why::Enlist).await;
    outcome
}

/// What this node was hired for, if it was. An error may pass.
async fn exchange(
    call: &Call,
    (network, directory): (&Network, &Directory),
) -> Result<Option<ContextId>, String> {
    let stream = network.open(call.caller, ENLIST).await.map_err(broken)?;
    let (mut sender, mut receiver) = stream.split();
    sender.send(&Message::Offer { nonce: call.nonce }.encode()).await.map_err(broken)?;
    let answer = receiver.receive(ANSWER).await.map_err(broken)?;
    let answer = answer.ok_or_else(|| broken(StreamError::Ended))?;
    let context = match Message::decode(&answer) {
        Ok(Message::Hired { context }) => context,
        Ok(Message::Refused { retry_after_ms: None }) => return Ok(None),
        Ok(Message::Refused { .. }) => return Err("the caller is busy".to_owned()),
        Ok(Message::Offer { .. } | Message::Taken) | Err(_) => {
            network.record(call.caller, "enlist");
            return Ok(None);
        }
    };
    begin(context, call.caller, directory).await.map_err(|why| why.to_string())?;
    sender.send(&Message::Taken.encode()).await.map_err(broken)?;
    sender.finish().await.map_err(broken)?;
    Ok(Some(context))
}

/// Has a context from now on. When this is done, that is durable.
async fn begin(context: ContextId, caller: PeerId, directory: &Directory) -> Result<(), Fault> {
    let shard = directory.shard(context).ok_or(Fault::Stopping)?;
    loop {
        let beginning = || Beginning::Joined(caller);
        let ask = |reply| {
            context::Message::Asked(context, Ask::Begin(beginning(), Given::default(), reply))
        };
        let begun = match shard.ask(ask) {
            Ok(answer) => answer.await.unwrap_or_else(|why| Err(why.into())),
            Err(why) => Err(why.into()),
        };
        match begun {
            // Another caller may be having it begun at this moment. The exchange ends in time.
            Err(Fault::Busy) => sleep(RETRY).await,
            begun => return begun,
        }
    }
}

/// Waits a while until the context is what it was hired as.
async fn arrive(context: ContextId, directory: &Directory) {
    let Some(entry) = directory.get(&context) else { return };
    let mut facts = entry.watch();
    let is_there = facts.wait_for(|facts| facts.state == State::Ready);
    timeout(ARRIVING, is_there).await.map(drop).ok();
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
fn broken(why: StreamError) -> String {
    why.to_string()
}
