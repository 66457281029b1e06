//! The tests of the configuration.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod documents;
mod layers;
