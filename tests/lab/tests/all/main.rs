//! The surface of the lab: what runs in it, and what is left of it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "in a test, a panic is the report"
)]

mod leaving;
mod links;
mod networks;
mod probe;
mod processes;
