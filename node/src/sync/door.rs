//! The door: somebody with a ticket wants to come in.

use std::time::Duration;

use mangrove_network::{Sender, Stream};
use mangrove_protocol::effect::Undecided;
use mangrove_protocol::governance::Command;
use mangrove_protocol::join::{Code, Doorkeeper, EXCHANGE_MS, Visitor, refuse};

use crate::context::{self, Ask};
use crate::directory::Directory;
use crate::drive::Clock;
use crate::fault::{Fault, RETRY};

/// How long a message of the exchange may be waited for.
const ANSWER: Duration = Duration::from_secs(10);

/// Lets in who stands at the door, if they may come in.
pub(super) async fn show(stream: Stream, directory: &Directory) {
    let joiner = stream.peer();
    let (mut sender, mut receiver) = stream.split();
    let Ok(Some(first)) = receiver.receive(ANSWER).await else { return };
    let (context, invite) = match Doorkeeper::hear(&first) {
        Ok(asked) => asked,
        Err(refusal) => return say(&mut sender, &refusal).await,
    };
    let unknown = || refuse(Code::UnknownInvite, None);
    let (Some(entry), Some(shard)) = (directory.get(&context), directory.shard(context)) else {
        return say(&mut sender, &unknown()).await;
    };
    let mut nonce = [0; 32];
    if getrandom::fill(&mut nonce).is_err() {
        return;
    }
    let (now_ms, roster) = (Clock::system().now_ms(), entry.facts().roster);
    let (doorkeeper, deadline_ms) = (directory.me(), now_ms + EXCHANGE_MS);
    let visitor = Visitor { joiner, doorkeeper, deadline_ms };
    let challenged = Doorkeeper::challenge(visitor, &roster, invite, nonce);
    let (doorkeeper, challenge) = match challenged {
        Ok(challenged) => challenged,
        Err(refusal) => return say(&mut sender, &refusal).await,
    };
    drop(roster);
    say(&mut sender, &challenge).await;
    let Ok(Some(proof)) = receiver.receive(ANSWER).await else { return };
    let (visit, redemption) = match doorkeeper.check(&proof, Clock::system().now_ms()) {
        Ok(checked) => checked,
        Err(refusal) => return say(&mut sender, &refusal).await,
    };
    let redeem = Command::Redeem(redemption);
    let asked = shard.ask(|reply| context::Message::Asked(context, Ask::Decide(redeem, reply)));
    let decided = match asked {
        Ok(answer) => answer.await.unwrap_or_else(|why| Err(why.into())),
        Err(why) => Err(why.into()),
    };
    let retry_ms = u64::try_from(RETRY.as_millis()).ok();
    let answer = match &decided {
        Ok(decided) => {
            tracing::info!(%context, %joiner, "let somebody in");
            visit.answer(Ok(decided.delta))
        }
        Err(Fault::Undecided(Undecided::Refused(refusal))) => {
            tracing::info!(%context, %joiner, %refusal, "did not let somebody in");
            visit.answer(Err(refusal))
        }
        Err(why) => {
            tracing::warn!(%context, %joiner, %why, "could not decide whether to let somebody in");
            visit.put_off(Code::Busy, retry_ms)
        }
    };
    say(&mut sender, &answer).await;
    sender.finish().await.ok();
}

async fn say(sender: &mut Sender, message: &[u8]) {
    // Who has hung up need not hear it.
    sender.send(message).await.ok();
}
