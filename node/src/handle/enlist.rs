//! Asking for replicas, and letting them go.

use std::time::Duration;

use mangrove_network::Posted;
use mangrove_protocol::effect::Undecided;
use mangrove_protocol::enlist::{CALL_MS, Call, EXCHANGE_MS, NONCE_BYTES, PEERS_PER_CALL};
use mangrove_protocol::gossip::Topic;
use mangrove_protocol::governance::{Command, Refusal, Role};
use mangrove_protocol::id::{ContextId, PeerId};
use tokio::time::{Instant, timeout, timeout_at};

use super::Handle;
use crate::directory::{Facts, State};
use crate::fault::Fault;

/// For how long replicas may offer themselves.
const CALLING: Duration = Duration::from_millis(CALL_MS);
/// After how long a call is said again, for those who could not hear it or had no time: twice as long each time,
/// up to the second of these.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));
/// For how long it is waited until it is known how the context is.
const TELLING: Duration = Duration::from_secs(2);
/// How long exchanges may take that are in hand when the call is over.
const EXCHANGE: Duration = Duration::from_millis(EXCHANGE_MS);

impl Handle {
    /// Calls for so many more replicas of a context, and returns those who have come within 30 s, which may be
    /// fewer, or none. Whoever hears the call and answers it may be one: it sees members, roles, sizes and times.
    ///
    /// This node stays on the topic of invites from its first call on. Calls travel by those alone who are there,
    /// and one who left after each would have to find its neighbours anew for the next.
    pub async fn enlist(&self, context: ContextId, count: u64) -> Result<Vec<PeerId>, Fault> {
        let most = PEERS_PER_CALL as u64;
        if !(1..=most).contains(&count) {
            let why = format!("{count} is not between 1 and {most}");
            return Err(Fault::Invalid { what: "count", why });
        }
        let unknown = || Fault::NoContext(context.to_string());
        let entry = self.directory.get(&context).ok_or_else(unknown)?;
        let mut facts = entry.watch();
        // One that was founded a moment ago is still being told of.
        let is_told = facts.wait_for(|facts| facts.state != State::Replaying);
        timeout(TELLING, is_told).await.map(drop).ok();
        may_enlist(&entry.facts())?;
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| Fault::Fallen)?;
        let opened = self.office.open((context, nonce), count, self.now_ms());
        let mut calling = opened.ok_or(Fault::Busy)?;
        if !self.network.join(Topic::invites()).await {
            let why = "this node is on too many topics to call for replicas";
            return Err(Fault::Unreachable(why.to_owned()));
        }
        let (mut pause, longest) = AGAIN;
        let until = Instant::now() + CALLING;
        while Instant::now() < until {
            // The same call, at another time: who has answered it does not answer it again.
            let addresses = self.reachable_at().await;
            let call = Call::sign(nonce, self.now_ms(), &addresses, &self.keys);
            if self.network.publish(Topic::invites(), call.encode()) == Posted::Closed {
                return Err(Fault::Stopping);
            }
            let again = until.min(Instant::now() + pause);
            pause = longest.min(pause * 2);
            if timeout_at(again, calling.filled(count)).await.is_ok() {
                break;
            }
        }
        timeout(EXCHANGE, calling.idle()).await.ok();
        Ok(calling.taken())
    }

    /// Lets a replica of a context go: it is given nothing more that is written.
    pub async fn delist(&self, context: ContextId, replica: PeerId) -> Result<(), Fault> {
        self.decide(context, Command::Delist { replica }).await.map(drop)
    }
}

/// Whether this node may say who is a replica, so that nobody is called in vain.
fn may_enlist(facts: &Facts) -> Result<(), Fault> {
    let refusal = match (facts.state, facts.role) {
        (State::Ready, Some(Role::Owner | Role::Admin)) => return Ok(()),
        (State::Ready, Some(_)) => Refusal::Forbidden { needs: Role::Admin },
        (State::Ready | State::Left, None) => Refusal::NotAMember,
        (state, _) => return Err(Fault::Syncing(state)),
    };
    Err(Undecided::Refused(refusal).into())
}
