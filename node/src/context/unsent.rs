//! Own deltas that the network had no room for.

use std::collections::VecDeque;

use mangrove_protocol::delta::Delta;

/// Bytes that are kept. What does not fit is found by comparing.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// After how long what the network had no room for is published again.
const AGAIN_MS: u64 = 50;

/// Own deltas that are published again in a moment, as many as fit.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    deltas: VecDeque<Delta>,
    bytes: usize,
    /// When they are published again, if there are any.
    again_ms: Option<u64>,
}

impl Unsent {
    pub(super) fn keep(&mut self, delta: Delta, now_ms: u64) {
        let bytes = delta.bytes().len();
        if self.bytes + bytes <= MOST_BYTES {
            self.bytes += bytes;
            self.deltas.push_back(delta);
            // What comes meanwhile does not put it off.
            self.again_ms.get_or_insert(now_ms + AGAIN_MS);
        }
    }

    /// What is to be published again by now.
    pub(super) fn due(&mut self, now_ms: u64) -> VecDeque<Delta> {
        if self.again_ms.is_none_or(|at_ms| at_ms > now_ms) {
            return VecDeque::new();
        }
        (self.bytes, self.again_ms) = (0, None);
        std::mem::take(&mut self.deltas)
    }

    /// When something is due next.
    pub(super) const fn again_ms(&self) -> Option<u64> {
        self.again_ms
    }
}
