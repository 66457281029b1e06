//! Those who wait until the context has been compared with a peer, and what moved meanwhile.

use std::collections::BTreeMap;

use mangrove_protocol::id::PeerId;
use mangrove_protocol::sync::Ending;

use crate::fault::Fault;
use crate::inbox::Reply;

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
        self.waiting.push(reply);
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
