//! What a peer is wanted for.

/// A reason to be connected to a peer; there may be several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The settings name it as a way into the mesh.
    Bootstrap,
    /// The user asked for it.
    Manual,
    /// It is a member of a context of ours.
    Member,
    /// It is asked to let us into a context.
    Join,
    /// It calls for replicas, and this node offers to be one.
    Enlist,
    /// It was found on the local network.
    Local,
}

impl Why {
    /// A word for it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Bootstrap => "bootstrap",
            Self::Manual => "manual",
            Self::Member => "member",
            Self::Join => "join",
            Self::Enlist => "enlist",
            Self::Local => "local",
        }
    }
}
