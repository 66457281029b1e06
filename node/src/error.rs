//! What can go wrong in a node, and what whoever meets it should do.

/// Why something was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Too much waits. Try again in a moment.
    #[error("the node is busy")]
    Busy,
    /// The node is stopping, or the part of it that was asked is.
    #[error("the node is stopping")]
    Stopping,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unanswered {
    /// What was asked failed. Whether it acted on the request is not known: look, and try again.
    #[error("the request was dropped without an answer")]
    Dropped,
    /// The node stopped before it looked at it. Nothing was done.
    #[error("the node is stopping")]
    Stopping,
}

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The store does not open.
    #[error(transparent)]
    Store(#[from] mangrove_store::OpenError),
    /// The network does not open.
    #[error(transparent)]
    Network(#[from] mangrove_network::StartError),
    /// Nobody could ask the node how it is.
    #[error("cannot listen at {path}: {why}")]
    Diagnostics {
        /// Where the socket would lie.
        path: camino::Utf8PathBuf,
        /// What the system says.
        why: std::io::Error,
    },
    /// Somebody is to be served as a replica who cannot be a peer. Correct the setting.
    #[error("`replica.allow` names {peer}, which is no peer id: {why}")]
    Allowed {
        /// What is written there.
        peer: String,
        /// What is wrong with it.
        why: String,
    },
    /// It was told to end before it had begun.
    #[error("ended by {} while it was starting", .0.name())]
    Interrupted(crate::warden::Signal),
    /// The system does not give what a node needs: threads, signals.
    #[error("the system refuses: {0}")]
    System(#[from] std::io::Error),
}
