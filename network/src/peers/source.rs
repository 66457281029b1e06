//! How an address came to be known.

/// How an address came to be known: what is dialled first comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The user gave it.
    Manual,
    /// The settings name it.
    Bootstrap,
    /// It stood in a ticket.
    Ticket,
    /// The peer was connected to there.
    Seen,
    /// It was announced in the local network.
    Mdns,
    /// The peer told it of itself.
    Told,
    /// It was known in an earlier life.
    Cache,
}

impl Source {
    /// A word for it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Bootstrap => "bootstrap",
            Self::Ticket => "ticket",
            Self::Seen => "seen",
            Self::Mdns => "mdns",
            Self::Told => "told",
            Self::Cache => "cache",
        }
    }

    /// How firmly an address stands: one that comes to a full list takes the place of one that
    /// stands no firmer. Nothing that strangers say pushes out what the user said or what worked.
    pub(super) const fn firmness(self) -> u8 {
        match self {
            Self::Manual => 3,
            Self::Bootstrap | Self::Ticket => 2,
            Self::Seen => 1,
            Self::Mdns | Self::Told | Self::Cache => 0,
        }
    }
}
