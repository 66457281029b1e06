//! `GET /v1/contexts/{context}/feed`: a feed as server-sent events.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use actix_web::http::header;
use actix_web::web::{Bytes, Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream::unfold;
use mangrove_node::Since;
use serde::Deserialize;
use tokio::time::timeout;

use super::{Admitted, Door, Ending, RequestName, refuse};
use crate::access::Caller;
use crate::item::Item;
use crate::listen::{Listening, Told, Wish};
use crate::methods::feed::since;
use crate::rpc::Error;
use crate::site::Site;

/// How often something is sent where nothing happens, so that whoever is in between keeps the line open.
const BEAT: Duration = Duration::from_secs(15);
/// What whoever comes back says of how far it has got.
const LAST: &str = "last-event-id";

/// How somebody wants to listen.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    after: Option<String>,
    #[serde(default)]
    prefix: String,
    /// Looked at where it is seen who calls.
    #[serde(rename = "token")]
    _token: Option<String>,
}

/// What listens, and until when.
struct Stream {
    listening: Listening,
    waiting: VecDeque<Item>,
    caller: Caller,
    site: Rc<Site>,
    ending: Ending,
    is_over: bool,
}

pub(super) async fn feed(
    Admitted(caller): Admitted,
    request: HttpRequest,
    (door, context): (Data<Door>, Path<String>),
    wanted: Query<Wanted>,
) -> HttpResponse {
    match listen(caller, &request, (&door, &context), wanted.into_inner()) {
        Err(error) => refuse(&error),
        Ok(stream) => HttpResponse::Ok()
            .insert_header((header::CONTENT_TYPE, "text/event-stream"))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .streaming(unfold(stream, Stream::next)),
    }
}

fn listen(
    caller: Caller,
    request: &HttpRequest,
    (door, context): (&Door, &str),
    wanted: Wanted,
) -> Result<Stream, Error> {
    let (node, tokens) = (door.node.clone(), door.tokens.clone());
    let name = RequestName::given(request);
    let site = Site { node, tokens, caller: caller.clone(), desk: None, request: name };
    let entry = site.find(context)?;
    let last = request.headers().get(LAST).and_then(|last| last.to_str().ok());
    let since = match last {
        Some(last) => since("Last-Event-ID", Some(last), Since::Start)?,
        None => since("after", wanted.after.as_deref(), Since::Start)?,
    };
    let wish = Wish { since, prefix: wanted.prefix, presence: false };
    let listening = Listening::begin(&site.node, &entry, wish)?;
    let (waiting, site, ending) = (VecDeque::new(), Rc::new(site), door.ending());
    Ok(Stream { listening, waiting, caller, site, ending, is_over: false })
}

impl Stream {
    /// What is sent next; nothing if it is over.
    async fn next(mut self) -> Option<(Result<Bytes, std::io::Error>, Self)> {
        if self.waiting.is_empty() && !self.is_over {
            let told = tokio::select! {
                told = timeout(BEAT, self.listening.next()) => told,
                () = self.caller.ended(&self.site.node) => return None,
                () = self.ending.clone().told() => return None,
            };
            match told {
                Err(_) => return Some((Ok(Bytes::from_static(b": still here\n\n")), self)),
                Ok(Told::Happened(items)) => self.waiting = items,
                Ok(Told::Present { .. }) => {}
                Ok(Told::Over(last)) => {
                    self.waiting.extend(last);
                    self.is_over = true;
                }
            }
        }
        let text: String = self.waiting.drain(..).map(|item| event(&item)).collect();
        if text.is_empty() && self.is_over {
            return None;
        }
        Some((Ok(text.into()), self))
    }
}

fn event(said: &Item) -> String {
    // JSON has no line ends of its own.
    format!("id: {}\ndata: {}\n\n", said.cursor, said.json)
}
