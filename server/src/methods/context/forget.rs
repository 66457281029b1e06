//! `context.forget`

use super::OfContext;
use crate::access::Access;
use crate::rpc::{Error, Method, Reach};
use crate::shape::Nothing;
use crate::site::Site;

/// Deletes a context here.
pub(crate) struct Forget;

impl Method for Forget {
    const NAME: &'static str = "context.forget";
    const WHAT: &'static str = "Deletes all that is here of a context. Others keep theirs.";
    const ACCESS: Access = Access::Admin;
    const REACH: Reach = Reach::Any;
    type Params = OfContext;
    type Result = Nothing;

    async fn call(site: &Site, params: OfContext) -> Result<Nothing, Error> {
        let entry = site.find(&params.context)?;
        site.node.forget(entry.context()).await?;
        Ok(Nothing {})
    }
}
