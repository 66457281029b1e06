//! Whole clusters in one thread, from one seed.
//!
//! The simulator drives the machines of `mangrove-protocol` over links that delay, drop, duplicate
//! and reorder, and over a store model that crashes and loses power under the same contract as the
//! real store. The same seed gives the same run, event for event.
//!
//! It depends on the protocol alone: a seed never links a database, a network or a runtime. It will
//! never read a clock or roll dice of its own; all randomness comes from the seed.
