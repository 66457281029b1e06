//! The running hash over everything that happens, which tells whether two runs were the same.

use std::collections::VecDeque;

/// Lines kept for the reader of a failure.
const LINES_KEPT: usize = 400;

/// What has happened so far.
#[derive(Debug)]
pub(crate) struct Trace {
    hasher: blake3::Hasher,
    lines: Option<VecDeque<String>>,
    events: u64,
}

/// Whether a run can be read afterwards, which costs time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Only its hash.
    Hash,
    /// Its last lines as well.
    Lines,
}

impl Trace {
    pub(crate) fn new(detail: Detail) -> Self {
        let lines = (detail == Detail::Lines).then(VecDeque::new);
        Self { hasher: blake3::Hasher::new(), lines, events: 0 }
    }

    /// Something happened at `at_ms`, on a node, to something with these bytes.
    pub(crate) fn note(&mut self, at_ms: u64, node: usize, label: &str, about: &[u8]) {
        self.events += 1;
        let mut head = [0; 18];
        let (time, rest) = head.split_at_mut(8);
        time.copy_from_slice(&at_ms.to_le_bytes());
        let (node_bytes, len) = rest.split_at_mut(8);
        node_bytes.copy_from_slice(&(node as u64).to_le_bytes());
        len.copy_from_slice(&u16::try_from(label.len()).unwrap_or_default().to_le_bytes());
        self.hasher.update(&head).update(label.as_bytes()).update(about);
        if let Some(lines) = &mut self.lines {
            if lines.len() == LINES_KEPT {
                lines.pop_front();
            }
            let shown = about.get(..4).unwrap_or(about);
            let shown = shown.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            lines.push_back(format!("{at_ms:>8} node {node} {label} {shown}"));
        }
    }

    /// How much has happened.
    pub(crate) const fn events(&self) -> u64 {
        self.events
    }

    pub(crate) fn hash(&self) -> [u8; 32] {
        *self.hasher.finalize().as_bytes()
    }

    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines.into_iter().flatten().collect()
    }
}
