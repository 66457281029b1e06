//! What every command prints, kept in files, so that whoever changes it sees what changes.
//!
//! Each test is a world: rows of commands, whose output is gathered in pages and held against
//! `cli/tests/snapshots`. With MANGROVE_BLESS the pages are written anew.

mod access;
mod alone;
mod book;
mod contexts;
mod names;
mod node;
mod pages;
mod several;
mod state;
