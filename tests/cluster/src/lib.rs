//! Real nodes, driven and broken on purpose, and the documentation run as it is written.
//!
//! This crate may see every other one. Tests here start real processes on ephemeral ports, in
//! folders of their own, and stop what they started by its own id.
