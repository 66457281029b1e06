//! `diag.queues`

use crate::access::Access;
use crate::rpc::{Error, Method, Reach};
use crate::shape::{Json, Nothing};
use crate::site::Site;

/// What waits where.
pub(crate) struct Queues;

impl Method for Queues {
    const NAME: &'static str = "diag.queues";
    const WHAT: &'static str = "Lists what waits in the queues of this node.";
    const ACCESS: Access = Access::Admin;
    const REACH: Reach = Reach::Nothing;
    type Params = Nothing;
    type Result = Json;

    async fn call(site: &Site, Nothing {}: Nothing) -> Result<Json, Error> {
        Ok(Json::told(&site.node.gauges().dump().json()))
    }
}
