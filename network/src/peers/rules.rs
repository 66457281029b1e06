//! How much of peers is kept, and how eagerly they are sought.

/// The bounds and the pauses that [`Peers`](super::Peers) keeps to.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// Peers whose addresses are known, peers that are wanted, and peers that are turned away for
    /// a while: so many of each.
    pub(crate) most_peers: usize,
    /// Addresses of one peer. One source gives at most half of them, unless it is the user.
    pub(crate) addresses_per_peer: usize,
    /// Addresses of one dial.
    pub(crate) addresses_per_dial: usize,
    /// For how long a peer that was lost is sought without growing pauses.
    pub(crate) eager_ms: u64,
    /// The same for a peer that was never reached in this life: it may be long gone.
    pub(crate) stranger_eager_ms: u64,
    /// How long a dial may take in that time, unless the peer is known to be far away: a bit longer
    /// than the system waits before it repeats its first packet. What is lost in a partition that
    /// heals in the meantime is soon tried anew.
    pub(crate) eager_patience_ms: u64,
    /// How long a dial may take afterwards.
    pub(crate) patience_ms: u64,
    /// The pause after a failed dial in that time; up to as much again is added by chance.
    pub(crate) eager_gap_ms: u64,
    /// The first pause after that time; each is twice the one before it, and between half and all
    /// of that is waited.
    pub(crate) first_gap_ms: u64,
    /// The longest pause.
    pub(crate) most_gap_ms: u64,
    /// For how long a peer is turned away the first time; each time is twice the one before it.
    pub(crate) cool_ms: u64,
    /// The longest time to turn a peer away, and how long it has to behave until that is forgotten.
    pub(crate) most_cool_ms: u64,
    /// Peers whose faults are remembered.
    pub(crate) ledger_peers: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            most_peers: 4_096,
            addresses_per_peer: 16,
            addresses_per_dial: 8,
            eager_ms: 120_000,
            stranger_eager_ms: 10_000,
            eager_patience_ms: 1_250,
            patience_ms: 12_000,
            eager_gap_ms: 75,
            first_gap_ms: 1_000,
            most_gap_ms: 30_000,
            cool_ms: 60_000,
            most_cool_ms: 3_600_000,
            ledger_peers: 1_024,
        }
    }
}
