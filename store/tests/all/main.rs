//! The surface of the store: what it gives back, and what it survives.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "in a test, a panic is the report"
)]

#[path = "../child/book.rs"]
mod book;

mod backups;
mod checks;
mod child;
mod crashes;
mod differential;
mod feeds;
mod house;
mod lookups;
mod observer;
mod opening;
mod power;
mod replicas;
mod resting;
mod room;
mod sealed;
