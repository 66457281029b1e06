//! The sync session: its messages, and what they find out.

mod anything;
mod chains;
mod comparing;
mod messages;
mod sessions;
