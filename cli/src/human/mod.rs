//! How numbers, times, ids and tables are written for people.

mod size;
mod table;
mod text;
mod time;

pub(crate) use size::{bytes, count};
pub(crate) use table::{Cell, Column, Table};
pub(crate) use text::{cut, printable, short, tail};
pub(crate) use time::{ago, now_ms, span};
