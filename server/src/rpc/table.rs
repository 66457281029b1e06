//! All methods, by name.

use super::method::Row;
use crate::methods::{context, diag, feed, history, invite, member, node, presence, state, token};
use crate::rpc::discover::Discover;

/// All methods, in the order of their names.
pub(crate) static METHODS: &[Row] = &[
    Row::of::<context::Create>(),
    Row::of::<context::Delist>(),
    Row::of::<context::Enlist>(),
    Row::of::<context::Forget>(),
    Row::of::<context::Get>(),
    Row::of::<context::Join>(),
    Row::of::<context::Leave>(),
    Row::of::<context::List>(),
    Row::of::<context::Rebuild>(),
    Row::of::<context::Rename>(),
    Row::of::<context::Sync>(),
    Row::of::<diag::Queues>(),
    Row::of::<feed::Read>(),
    Row::of::<feed::Subscribe>(),
    Row::of::<feed::Unsubscribe>(),
    Row::of::<history::Get>(),
    Row::of::<history::List>(),
    Row::of::<invite::Close>(),
    Row::of::<invite::Create>(),
    Row::of::<invite::List>(),
    Row::of::<member::List>(),
    Row::of::<member::Remove>(),
    Row::of::<member::SetRole>(),
    Row::of::<node::Backup>(),
    Row::of::<node::Ban>(),
    Row::of::<node::Connect>(),
    Row::of::<node::Limits>(),
    Row::of::<node::Peers>(),
    Row::of::<node::Status>(),
    Row::of::<node::Stop>(),
    Row::of::<node::Unban>(),
    Row::of::<presence::Get>(),
    Row::of::<presence::Set>(),
    Row::of::<Discover>(),
    Row::of::<state::Apply>(),
    Row::of::<state::Get>(),
    Row::of::<state::GetMany>(),
    Row::of::<state::Root>(),
    Row::of::<state::Scan>(),
    Row::of::<token::Create>(),
    Row::of::<token::List>(),
    Row::of::<token::Revoke>(),
];

/// The method of this name.
pub(crate) fn find(name: &str) -> Option<&'static Row> {
    let at = METHODS.binary_search_by(|row| row.name.cmp(name)).ok()?;
    METHODS.get(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_order_and_each_is_found() {
        assert!(METHODS.is_sorted_by(|one, other| one.name < other.name));
        for row in METHODS {
            assert_eq!(find(row.name).map(|found| found.name), Some(row.name));
            assert!(row.what.ends_with('.'), "{}", row.name);
        }
        assert!(find("state").is_none() && find("").is_none());
    }
}
