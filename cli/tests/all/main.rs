//! The tests of the command: the real binary, each time in a folder of its own.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod backup;
mod config;
mod documents;
mod init;
mod node;
mod output;
mod run;
mod tour;
