//! `POST /rpc`

use std::rc::Rc;

use actix_web::http::header::ContentType;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpResponse, HttpResponseBuilder};

use super::{Admitted, Door, builder};
use crate::rpc::{Error, Id, Kind, Said, answer, batch, one};
use crate::site::Site;

/// Answers what was said: a call, a batch, or notifications alone, to which there is nothing to answer.
pub(super) async fn rpc(Admitted(caller): Admitted, door: Data<Door>, body: Bytes) -> HttpResponse {
    let said = match std::str::from_utf8(&body) {
        Ok(text) => Said::read(text),
        Err(why) => Err(Error::new(Kind::Parse, why.to_string())),
    };
    let (node, tokens) = (door.node.clone(), door.tokens.clone());
    let site = Rc::new(Site { node, tokens, caller, desk: None });
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
