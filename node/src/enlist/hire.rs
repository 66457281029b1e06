//! Somebody offers to be a replica: the caller's side of the exchange.

use std::time::Duration;

use mangrove_network::{Receiver, Sender, Stream};
use mangrove_protocol::effect::{Decided, Undecided};
use mangrove_protocol::enlist::Message;
use mangrove_protocol::governance::{Command, Refusal};
use mangrove_protocol::id::{ContextId, PeerId};
use tokio::time::{sleep, timeout};

use super::office::Office;
use crate::context::{self, Ask};
use crate::directory::Directory;
use crate::drive::Clock;
use crate::fault::{Fault, RETRY};

/// How long an offer may be waited for, once there is a stream.
const ANSWER: Duration = Duration::from_secs(10);
/// How long it may take to write down who is hired.
const DECIDING: Duration = Duration::from_secs(10);
/// How long a replica may take to begin a context.
const TAKING: Duration = Duration::from_secs(10);
/// How often it is tried to take back what did not come about.
const TRIES: u32 = 10;

/// Hires who offers itself, if some are wanted. That it is enlisted is durable before it hears of the context, so
/// that it is given everything from the first comparison on; if it does not take the context, that is taken back.
pub(crate) async fn hire(stream: Stream, directory: &Directory, office: &Office) {
    let replica = stream.peer();
    let (mut sender, mut receiver) = stream.split();
    let Ok(Some(first)) = receiver.receive(ANSWER).await else { return };
    let Ok(Message::Offer { nonce }) = Message::decode(&first) else { return };
    let Some(hired) = office.offer(replica, nonce, Clock::system().now_ms()) else {
        return refuse(&mut sender, None).await;
    };
    let context = hired.context;
    let entry = directory.get(&context);
    if entry.is_none_or(|entry| entry.facts().roster.replicas().contains(&replica)) {
        // It is one already, and more are wanted.
        return refuse(&mut sender, None).await;
    }
    let enlisted = decide(context, Command::Enlist { replica }, directory).await;
    if let Err(why) = &enlisted {
        tracing::warn!(%context, %replica, %why, "could not enlist a replica");
        refuse(&mut sender, u64::try_from(RETRY.as_millis()).ok()).await;
        if !matches!(why, Fault::Undecided(_)) {
            // Nobody knows whether it was written.
            take_back(context, replica, directory).await;
        }
        return;
    }
    if hand_over(context, &mut sender, &mut receiver).await {
        tracing::info!(%context, %replica, "enlisted a replica");
        hired.taken();
    } else {
        tracing::warn!(%context, %replica, "a replica did not take the context");
        take_back(context, replica, directory).await;
    }
}

/// Tells a replica what it is for. Whether it has taken it.
async fn hand_over(context: ContextId, sender: &mut Sender, receiver: &mut Receiver) -> bool {
    if sender.send(&Message::Hired { context }.encode()).await.is_err() {
        return false;
    }
    let Ok(Some(answer)) = receiver.receive(TAKING).await else { return false };
    Message::decode(&answer) == Ok(Message::Taken)
}

async fn refuse(sender: &mut Sender, retry_after_ms: Option<u64>) {
    // Who has hung up need not hear it.
    sender.send(&Message::Refused { retry_after_ms }.encode()).await.ok();
}

/// Delists who did not take what it was hired for.
async fn take_back(context: ContextId, replica: PeerId, directory: &Directory) {
    for _ in 0..TRIES {
        match decide(context, Command::Delist { replica }, directory).await {
            Ok(_) | Err(Fault::Undecided(Undecided::Refused(Refusal::AlreadySo))) => return,
            Err(Fault::Busy | Fault::Undecided(Undecided::Busy)) => sleep(RETRY).await,
            Err(why) => {
                tracing::warn!(%context, %replica, %why, "it is enlisted all the same: delist it by hand");
                return;
            }
        }
    }
}

async fn decide(
    context: ContextId,
    command: Command,
    directory: &Directory,
) -> Result<Decided, Fault> {
    let shard = directory.shard(context).ok_or(Fault::Stopping)?;
    let answer =
        shard.ask(|reply| context::Message::Asked(context, Ask::Decide(command, reply)))?;
    timeout(DECIDING, answer).await.map_err(|_| Fault::Fallen)??
}
