//! `POST /rpc`

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::ContentType;
use actix_web::web::{Bytes, Data};
use actix_web::{FromRequest, HttpRequest, HttpResponse, HttpResponseBuilder};
use tokio::time::timeout;

use super::{Admitted, Denied, Door, RequestName, builder};
use crate::rpc::{Error, Id, Kind, Said, answer, batch, one};
use crate::site::Site;

/// All of a request has to have come by then: the longest of them at a megabit a second and a little more.
const BODY: Duration = Duration::from_secs(30);

/// All that was said, if it came in time.
#[derive(Debug)]
pub(super) struct Body(Bytes);

impl FromRequest for Body {
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Self::Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let read = Bytes::from_request(request, payload);
        Box::pin(async {
            let late = |_| {
                let why = format!("the call did not come within {} s", BODY.as_secs());
                Denied::from(Error::new(Kind::InvalidRequest, why))
            };
            Ok(Self(timeout(BODY, read).await.map_err(late)??))
        })
    }
}

/// Answers what was said: a call, a batch, or notifications alone, to which there is nothing to answer.
pub(super) async fn rpc(
    Admitted(caller): Admitted,
    request: HttpRequest,
    door: Data<Door>,
    body: Body,
) -> HttpResponse {
    let said = match std::str::from_utf8(&body.0) {
        Ok(text) => Said::read(text),
        Err(why) => Err(Error::new(Kind::Parse, why.to_string())),
    };
    let (node, tokens) = (door.node.clone(), door.tokens.clone());
    let site =
        Rc::new(Site { node, tokens, caller, desk: None, request: RequestName::given(&request) });
    let answered = match said {
        Ok(Said::One(call)) => one(site, call).await,
        Ok(Said::Batch(calls)) => {
            door.gate.owe(&site.caller.token, calls.len().saturating_sub(1));
            batch(site, calls).await
        }
        Err(error) => {
            // Only what is no JSON at all is told by the status, too.
            let mut response = match error.kind {
                Kind::Parse => builder(&error),
                _ => HttpResponse::Ok(),
            };
            return json(&mut response, answer(&Id::null(), &Err(error)));
        }
    };
    match answered {
        Some(text) => json(&mut HttpResponse::Ok(), text),
        None => HttpResponse::NoContent().finish(),
    }
}

fn json(response: &mut HttpResponseBuilder, text: String) -> HttpResponse {
    response.content_type(ContentType::json()).body(text)
}
