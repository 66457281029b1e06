//! `node.limits`

use std::collections::BTreeMap;

use mangrove_protocol::limits::TABLE;

use crate::access::Access;
use crate::rpc::{Error, Method, Reach};
use crate::shape::Nothing;
use crate::site::Site;

/// What is too much.
pub(crate) struct Limits;

impl Method for Limits {
    const NAME: &'static str = "node.limits";
    const WHAT: &'static str = "Lists the limits of the protocol and of this node.";
    const ACCESS: Access = Access::Read;
    const REACH: Reach = Reach::Nothing;
    const IS_OPEN: bool = true;
    type Params = Nothing;
    type Result = BTreeMap<&'static str, u64>;

    async fn call(_: &Site, Nothing {}: Nothing) -> Result<BTreeMap<&'static str, u64>, Error> {
        Ok(TABLE.iter().map(|limit| (limit.name, limit.value)).collect())
    }
}
