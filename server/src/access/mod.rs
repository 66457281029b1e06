//! Who may call: tokens, what each allows, and whether they still hold.
//!
//! A token is known by its hash alone. Whoever comes with one is a [`Caller`] from then on, and that is told when the
//! token is revoked or has run out: a socket that was opened with it ends then.

mod book;
mod secret;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use mangrove_node::Handle;
use mangrove_protocol::id::ContextId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::sleep;

pub(crate) use book::{Listed, Terms};
pub use book::{Tokens, TokensError};
pub(crate) use secret::Secret;

/// What somebody may do. Each may do what those before it may.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Access {
    /// See what there is.
    Read,
    /// Change what contexts hold.
    Write,
    /// Everything.
    Admin,
}

impl Access {
    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

/// Somebody whose token was looked at.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The id of the token, under which its requests are remembered.
    pub(crate) token: Arc<str>,
    /// What it allows.
    pub(crate) access: Access,
    /// Where, if not everywhere.
    pub(crate) only: Option<ContextId>,
    /// When it runs out, in Unix ms.
    pub(crate) expires_at_ms: Option<u64>,
    holds: watch::Receiver<bool>,
}

impl Caller {
    /// Until the token is revoked, or has run out.
    pub(crate) async fn ended(&mut self, node: &Handle) {
        let expires_at_ms = self.expires_at_ms;
        let runs_out = async {
            match expires_at_ms {
                None => std::future::pending().await,
                Some(at_ms) => {
                    sleep(Duration::from_millis(at_ms.saturating_sub(node.now_ms()))).await;
                }
            }
        };
        tokio::select! {
            // Whoever revokes it drops the other end.
            _ = self.holds.wait_for(|holds| !holds) => {}
            () = runs_out => {}
        }
    }

    /// Whether the token holds.
    pub(crate) fn holds(&self, now_ms: u64) -> bool {
        *self.holds.borrow() && self.expires_at_ms.is_none_or(|at_ms| now_ms < at_ms)
    }
}
