//! `context.leave`

use mangrove_protocol::governance::Command;

use super::OfContext;
use crate::access::Access;
use crate::rpc::{Error, How, Method, Reach};
use crate::shape::Nothing;
use crate::site::Site;

/// Takes no part any more.
pub(crate) struct Leave;

impl Method for Leave {
    const NAME: &'static str = "context.leave";
    const WHAT: &'static str = "Leaves a context. What is here of it can still be read.";
    const ACCESS: Access = Access::Admin;
    const REACH: Reach = Reach::Context(How::Alone);
    type Params = OfContext;
    type Result = Nothing;

    async fn call(site: &Site, params: OfContext) -> Result<Nothing, Error> {
        let entry = site.find(&params.context)?;
        site.node.decide(entry.context(), Command::Leave).await?;
        Ok(Nothing {})
    }
}
