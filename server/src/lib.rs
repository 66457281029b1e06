//! The public contract: JSON-RPC over HTTP and WebSocket, server-sent events, health and metrics.
//!
//! Requests are decoded once into the types of this crate, checked against the limits table, and
//! handed to the node; answers and errors go back in the shapes that programs outside this
//! repository are written against. The OpenRPC document is generated from the same types.
//!
//! It will never hold state of its own beyond sockets and tokens, never answer before the node has,
//! and never listen where another machine can reach it unless it was told to.

mod access;
pub mod canonical;
mod error;
mod http;
mod item;
mod kind;
mod listen;
mod methods;
mod rpc;
mod shape;
mod site;
mod socket;
mod start;
mod tls;

pub use access::{Access, Tokens, TokensError};
pub use error::StartError;
pub use kind::Kind;
pub use start::{Listener, Serving, Stopper};
