//! The mesh: gossip, streams and peers, over libp2p.
//!
//! One driver owns the swarm and waits for nobody. Commands come in and events go out over bounded
//! channels; gossip that does not fit is shed and remembered as missing, while stream and
//! connection events are never lost. What a message means is judged elsewhere and comes back as
//! accept, ignore or reject before anything is forwarded.
//!
//! It will never read or write the store, decode more of a message than its size and topic, or
//! trust a peer's claim about itself beyond the identity its connection has proved.
