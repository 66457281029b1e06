//! Where a call is answered: the node, and who calls.

use std::sync::Arc;

use mangrove_node::Handle;
use mangrove_node::directory::Entry;
use mangrove_protocol::id::ContextId;

use crate::access::{Access, Caller, Tokens};
use crate::http::RequestName;
use crate::rpc::{Error, Kind, Prepared};
use crate::socket::Desk;

/// Where a call is answered. A method comes by a context only through here, so that none can forget to look whether
/// the caller may.
pub(crate) struct Site {
    pub(crate) node: Handle,
    pub(crate) tokens: Tokens,
    pub(crate) caller: Caller,
    /// Where subscriptions are taken, if the call came by a socket.
    pub(crate) desk: Option<Desk>,
    /// What the request is called that the call came with; of a socket, the one that opened it.
    pub(crate) request: RequestName,
}

impl Site {
    /// The context that is meant.
    pub(crate) fn find(&self, text: &str) -> Result<Arc<Entry>, Error> {
        let found = self.node.find(text);
        match self.caller.only {
            None => Ok(found?),
            Some(only) => {
                // Whoever may not see a context does not learn whether there is one.
                let found = found.ok().filter(|entry| entry.context() == only);
                found.ok_or_else(|| elsewhere(only))
            }
        }
    }

    /// The contexts that the caller may see.
    pub(crate) fn contexts(&self) -> Vec<Arc<Entry>> {
        let mut all = self.node.contexts();
        all.retain(|entry| self.caller.only.is_none_or(|only| entry.context() == only));
        all
    }

    /// Whether the caller may make this call at all.
    pub(crate) fn admit(&self, call: &dyn Prepared) -> Result<(), Error> {
        let (has, needs) = (self.caller.access, call.access());
        if has < needs {
            return Err(too_little(has, needs));
        }
        match (self.caller.only, call.context()) {
            (Some(only), None) if !call.is_open() => Err(elsewhere(only)),
            _ => Ok(()),
        }
    }
}

fn too_little(has: Access, needs: Access) -> Error {
    let why = format!("this needs a token for {}, and yours is for {}", needs.name(), has.name());
    Error::new(Kind::Forbidden, why).hint("mangrove token create makes one")
}

fn elsewhere(only: ContextId) -> Error {
    Error::new(Kind::Forbidden, format!("this token is for the context {only} alone"))
}
