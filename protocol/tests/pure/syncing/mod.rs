//! The sync session: its messages, and what they find out.

mod anything;
mod books;
mod comparing;
mod counters;
mod crowded;
mod faults;
mod messages;
mod net;
mod sessions;
