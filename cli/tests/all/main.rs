//! The tests of the command: the real binary, each time in a folder of its own.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod backup;
mod client;
mod completing;
mod config;
mod doctor;
mod documents;
mod init;
mod node;
mod output;
mod refusals;
mod run;
mod running;
mod sharing;
mod snapshots;
mod streams;
mod tls;
mod tour;
