//! The methods, one file each, or one for those that belong together. Each says in its file all that there is to say
//! of it; `rpc::table` lists them.

pub(crate) mod context;
pub(crate) mod diag;
pub(crate) mod feed;
pub(crate) mod history;
pub(crate) mod invite;
pub(crate) mod member;
pub(crate) mod node;
pub(crate) mod presence;
pub(crate) mod state;
pub(crate) mod token;
