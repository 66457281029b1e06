//! The sync session: its messages, and what they find out.

mod comparing;
mod messages;
