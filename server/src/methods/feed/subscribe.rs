//! `feed.subscribe` and `feed.unsubscribe`

use mangrove_node::Since;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::since;
use crate::access::Access;
use crate::listen::{Listening, Wish};
use crate::rpc::{Aim, Error, Kind, Method, Reach};
use crate::shape::Nothing;
use crate::site::Site;
use crate::socket::Desk;

/// Listens to contexts.
pub(crate) struct Subscribe;

/// Listens no more.
pub(crate) struct Unsubscribe;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// To which.
    contexts: Vec<Of>,
    /// Only of keys that begin so.
    #[serde(default)]
    prefix: String,
    /// Whether to tell who is present, too.
    #[serde(default)]
    presence: bool,
}

/// One of them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "FeedStart")]
struct Of {
    context: String,
    /// After this cursor, or `start` for all that is kept, or `now`, which it is unless something else is said.
    after: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Named {
    /// Which.
    subscription: String,
}

/// What was begun.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Subscription")]
pub(crate) struct Begun {
    subscription: String,
}

impl Aim for Wanted {}

impl Aim for Named {}

fn desk(site: &Site) -> Result<&Desk, Error> {
    let why = "subscriptions are for sockets";
    let error = || Error::new(Kind::InvalidRequest, why);
    site.desk
        .as_ref()
        .ok_or_else(|| error().hint("call it by /ws, or read GET /v1/contexts/{c}/feed"))
}

impl Method for Subscribe {
    const NAME: &'static str = "feed.subscribe";
    const WHAT: &'static str =
        "Tells what happens to contexts, from a cursor on, by notifications.";
    const ACCESS: Access = Access::Read;
    const REACH: Reach = Reach::Any;
    // Each context is looked up as all are.
    const IS_OPEN: bool = true;
    type Params = Wanted;
    type Result = Begun;

    async fn call(site: &Site, params: Wanted) -> Result<Begun, Error> {
        let desk = desk(site)?;
        if params.contexts.is_empty() {
            return Err(Error::params("contexts", "there are none"));
        }
        let mut all = Vec::with_capacity(params.contexts.len());
        for (at, of) in params.contexts.iter().enumerate() {
            let since = since(&format!("contexts[{at}].after"), of.after.as_deref(), Since::Now)?;
            let wish = Wish { since, prefix: params.prefix.clone(), presence: params.presence };
            all.push(Listening::begin(&site.node, &*site.find(&of.context)?, wish)?);
        }
        Ok(Begun { subscription: desk.subscribe(all)?.to_string() })
    }
}

impl Method for Unsubscribe {
    const NAME: &'static str = "feed.unsubscribe";
    const WHAT: &'static str = "Tells nothing more of a subscription.";
    const ACCESS: Access = Access::Read;
    const REACH: Reach = Reach::Nothing;
    const IS_OPEN: bool = true;
    type Params = Named;
    type Result = Nothing;

    async fn call(site: &Site, params: Named) -> Result<Nothing, Error> {
        match desk(site)?.unsubscribe(&params.subscription) {
            true => Ok(Nothing {}),
            false => {
                let why = format!("there is no subscription {}", params.subscription);
                Err(Error::new(Kind::NotFound, why))
            }
        }
    }
}
