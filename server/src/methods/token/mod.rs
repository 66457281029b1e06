//! `token.create`, `token.list` and `token.revoke`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::{Access, Listed, Terms, TokensError};
use crate::rpc::{Aim, Error, Kind, Method, Reach};
use crate::shape::Nothing;
use crate::site::Site;

/// Makes one.
pub(crate) struct Create;

/// All that were made.
pub(crate) struct List;

/// Takes one back.
pub(crate) struct Revoke;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Wanted {
    /// For this context alone; for all of them unless something is said.
    context: Option<String>,
    /// What it allows.
    access: Access,
    /// For how long; for ever unless something is said.
    expires_in_secs: Option<u64>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Named {
    /// Its id, as it is listed.
    id: String,
}

/// A token that was made.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TokenMade")]
pub(crate) struct Made {
    id: String,
    /// It is told this once, and kept nowhere.
    token: String,
}

/// A token.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TokenInfo {
    id: String,
    /// The only context that it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<String>,
    access: Access,
    /// Null if it does not run out.
    expires_at: Option<u64>,
    /// Null if it was never used.
    last_used_at: Option<u64>,
}

impl Aim for Named {}

impl Aim for Wanted {
    fn context(&self) -> Option<&str> {
        self.context.as_deref()
    }
}

impl From<Listed> for TokenInfo {
    fn from(listed: Listed) -> Self {
        Self {
            id: listed.id.to_string(),
            context: listed.only.map(|context| context.to_string()),
            access: listed.access,
            expires_at: listed.expires_at_ms,
            last_used_at: listed.last_used_at_ms,
        }
    }
}

impl From<TokensError> for Error {
    fn from(why: TokensError) -> Self {
        let kind = match why {
            TokensError::TooMany => Kind::TooLarge,
            TokensError::NoChance => Kind::Internal,
            _ => Kind::Storage,
        };
        Self::new(kind, why.to_string())
    }
}

impl Method for Create {
    const NAME: &'static str = "token.create";
    const WHAT: &'static str = "Makes a token, which is told this once.";
    const ACCESS: Access = Access::Admin;
    const REACH: Reach = Reach::Nothing;
    type Params = Wanted;
    type Result = Made;

    async fn call(site: &Site, params: Wanted) -> Result<Made, Error> {
        let only = params.context.as_deref().map(|context| site.find(context)).transpose()?;
        let lasts_ms = params.expires_in_secs.map(|secs| secs.saturating_mul(1_000));
        if lasts_ms == Some(0) {
            return Err(Error::params("expiresInSecs", "it would run out at once"));
        }
        let terms = Terms {
            access: params.access,
            only: only.map(|entry| entry.context()),
            expires_at_ms: lasts_ms.map(|lasts_ms| site.node.now_ms().saturating_add(lasts_ms)),
        };
        let fresh = site.tokens.create(terms)?;
        Ok(Made { id: fresh.id.to_string(), token: fresh.secret.reveal().to_owned() })
    }
}

impl Method for List {
    const NAME: &'static str = "token.list";
    const WHAT: &'static str = "Lists the tokens that were made, but for their secrets.";
    const ACCESS: Access = Access::Admin;
    const REACH: Reach = Reach::Nothing;
    type Params = Nothing;
    type Result = Vec<TokenInfo>;

    async fn call(site: &Site, Nothing {}: Nothing) -> Result<Vec<TokenInfo>, Error> {
        Ok(site.tokens.list().into_iter().map(TokenInfo::from).collect())
    }
}

impl Method for Revoke {
    const NAME: &'static str = "token.revoke";
    const WHAT: &'static str = "Takes a token back, and ends all sockets that were opened with it.";
    const ACCESS: Access = Access::Admin;
    const REACH: Reach = Reach::Nothing;
    type Params = Named;
    type Result = Nothing;

    async fn call(site: &Site, params: Named) -> Result<Nothing, Error> {
        match site.tokens.revoke(&params.id)? {
            true => Ok(Nothing {}),
            false => Err(Error::new(Kind::NotFound, format!("there is no token {}", params.id))),
        }
    }
}
