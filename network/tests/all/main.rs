//! Real nodes on loopback, through the crate's surface.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "in a test, a panic is the report"
)]

mod child;
mod faults;
mod foreign;
mod hostile;
mod keeping;
mod mesh;
mod namespaces;
mod node;
mod starting;
mod streams;
mod validation;
