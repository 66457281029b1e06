//! `member.list`

use crate::access::Access;
use crate::methods::context::OfContext;
use crate::rpc::{Error, How, Method, Reach};
use crate::shape::MemberInfo;
use crate::site::Site;

/// Who takes part.
pub(crate) struct List;

impl Method for List {
    const NAME: &'static str = "member.list";
    const WHAT: &'static str = "Lists the members of a context.";
    const ACCESS: Access = Access::Read;
    const REACH: Reach = Reach::Context(How::Look);
    type Params = OfContext;
    type Result = Vec<MemberInfo>;

    async fn call(site: &Site, params: OfContext) -> Result<Vec<MemberInfo>, Error> {
        let entry = site.find(&params.context)?;
        let ties = site.node.ties(entry.context()).await.unwrap_or_default();
        Ok(MemberInfo::all(&entry, &site.node, &ties))
    }
}
