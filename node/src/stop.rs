//! How a loop is told to stop: first in its own time, then at once.

use tokio_util::sync::CancellationToken;

/// How a loop is told to stop. Cheap to clone; the clones are told together.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    told: CancellationToken,
    now: CancellationToken,
}

impl Stop {
    /// Nobody has been told yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Take nothing new and finish what is in hand.
    pub fn tell(&self) {
        self.told.cancel();
    }

    /// Drop what is in hand.
    pub fn force(&self) {
        // In this order: whoever hears that it was told knows at once which of the two it is.
        self.now.cancel();
        self.told.cancel();
    }

    /// Whether it was told.
    pub fn is_told(&self) -> bool {
        self.told.is_cancelled()
    }

    /// Whether what is in hand is to be dropped.
    pub fn is_forced(&self) -> bool {
        self.now.is_cancelled()
    }

    /// Until it is told.
    pub async fn told(&self) {
        self.told.cancelled().await;
    }

    /// Until what is in hand is to be dropped.
    pub async fn forced(&self) {
        self.now.cancelled().await;
    }
}
