//! `context.rebuild`

use super::OfContext;
use crate::access::Access;
use crate::rpc::{Error, How, Method, Reach};
use crate::shape::Nothing;
use crate::site::Site;

/// Makes state anew.
pub(crate) struct Rebuild;

impl Method for Rebuild {
    const NAME: &'static str = "context.rebuild";
    const WHAT: &'static str = "Makes the state of a context anew from its history.";
    const ACCESS: Access = Access::Admin;
    const REACH: Reach = Reach::Context(How::Alone);
    type Params = OfContext;
    type Result = Nothing;

    async fn call(site: &Site, params: OfContext) -> Result<Nothing, Error> {
        let entry = site.find(&params.context)?;
        site.node.rebuild(entry.context()).await?;
        Ok(Nothing {})
    }
}
