//! Those who wait until the context has been compared with a peer, and what moved meanwhile.

use std::collections::BTreeMap;

use mangrove_protocol::id::PeerId;
use mangrove_protocol::sync::Ending;

use crate::fault::Fault;
use crate::inbox::Reply;

/// Those who may wait at a time; one more is told to come back.
const MOST: usize = 64;

/// What came of comparing with a peer: both hold the same now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compared {
    /// With whom.
    pub peer: PeerId,
    /// Deltas that came from there.
    pub received: u64,
    /// Deltas that went there.
    pub sent: u64,
}

/// Those who wait for a comparison.
#[derive(Debug, Default)]
pub(super) struct Comparing {
    waiting: Vec<Reply<Result<Compared, Fault>>>,
    /// Of each peer that there is a session with: how many deltas came, and how many went.
    moved: BTreeMap<PeerId, (u64, u64)>,
}

impl Comparing {
    /// Somebody waits for the next one that does its work.
    pub(super) fn wait(&mut self, reply: Reply<Result<Compared, Fault>>) {
        match self.waiting.len() < MOST {
            true => self.waiting.push(reply),
            false => reply.send(Err(Fault::Busy)),
        }
    }

    /// Deltas came from a peer.
    pub(super) fn received(&mut self, from: PeerId, deltas: usize) {
        self.moved.entry(from).or_default().0 += deltas as u64;
    }

    /// Deltas went to a peer.
    pub(super) fn sent(&mut self, to: PeerId, deltas: usize) {
        self.moved.entry(to).or_default().1 += deltas as u64;
    }

    /// A session has ended. `is_last`: there is no other.
    pub(super) fn ended(&mut self, peer: PeerId, ending: Ending, is_last: bool) {
        let (received, sent) = self.moved.remove(&peer).unwrap_or_default();
        let answer = match ending {
            Ending::Equal | Ending::Done => Ok(Compared { peer, received, sent }),
            // Another may do it.
            _ if !is_last => return,
            ending => Err(Fault::Unreachable(format!("comparing with {peer} failed: {ending:?}"))),
        };
        for reply in std::mem::take(&mut self.waiting) {
            reply.send(answer.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inbox::reply;

    #[test]
    fn as_many_wait_as_may_and_the_others_are_told_at_once() {
        let mut comparing = Comparing::default();
        let kept = (0..MOST).map(|_| {
            let (reply, answer) = reply();
            comparing.wait(reply);
            answer
        });
        let kept = kept.collect::<Vec<_>>();
        let (reply, answer) = reply();
        comparing.wait(reply);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(answer).unwrap(), Err(Fault::Busy));
        let peer = PeerId::from_bytes([1; 32]);
        comparing.received(peer, 3);
        comparing.sent(peer, 2);
        comparing.ended(peer, Ending::Done, true);
        for answer in kept {
            let compared = Compared { peer, received: 3, sent: 2 };
            assert_eq!(runtime.block_on(answer).unwrap(), Ok(compared));
        }
    }
}
