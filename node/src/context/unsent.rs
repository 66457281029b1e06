//! Own deltas that the network had no room for.

use std::collections::VecDeque;

use mangrove_protocol::delta::Delta;

/// Bytes that are kept. What does not fit is found by comparing.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// Own deltas that are published again in a moment, as many as fit.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    deltas: VecDeque<Delta>,
    bytes: usize,
}

impl Unsent {
    pub(super) fn keep(&mut self, delta: Delta) {
        let bytes = delta.bytes().len();
        if self.bytes + bytes <= MOST_BYTES {
            self.bytes += bytes;
            self.deltas.push_back(delta);
        }
    }

    pub(super) fn take(&mut self) -> VecDeque<Delta> {
        self.bytes = 0;
        std::mem::take(&mut self.deltas)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.deltas.is_empty()
    }
}
