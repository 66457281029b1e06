//! `node.stop`

use crate::access::Access;
use crate::rpc::{Error, Method, Reach};
use crate::shape::Nothing;
use crate::site::Site;

/// Stops this node.
pub(crate) struct Stop;

impl Method for Stop {
    const NAME: &'static str = "node.stop";
    const WHAT: &'static str = "Stops this node, which finishes what it has taken.";
    const ACCESS: Access = Access::Admin;
    const REACH: Reach = Reach::Nothing;
    type Params = Nothing;
    type Result = Nothing;

    async fn call(site: &Site, Nothing {}: Nothing) -> Result<Nothing, Error> {
        site.node.stop();
        Ok(Nothing {})
    }
}
