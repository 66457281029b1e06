//! JSON-RPC 2.0 over `POST /rpc`.
//!
//! A call is decoded once, into the types of its method; what those do not know is refused. What comes back is made
//! of the node's own types here, and nowhere else.

mod fault;
mod methods;
mod op;
mod shape;

use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use mangrove_node::Handle;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

pub(crate) use fault::{Error, Kind};

use crate::token::Token;

/// A call as it comes.
#[derive(Debug, Deserialize)]
struct Call {
    jsonrpc: Option<String>,
    #[serde(default)]
    id: Option<Value>,
    method: Option<String>,
    params: Option<Box<RawValue>>,
}

/// Answers a call.
pub(crate) async fn rpc(
    request: HttpRequest,
    node: Data<Handle>,
    token: Data<Token>,
    body: Bytes,
) -> HttpResponse {
    if !token.opens(&request) {
        return crate::health::unauthorized();
    }
    let call = match std::str::from_utf8(&body) {
        Ok(text) => serde_json::from_str::<Call>(text).map_err(|why| why.to_string()),
        Err(why) => Err(why.to_string()),
    };
    let call = match call {
        Ok(call) => call,
        Err(why) => {
            let error = match serde_json::from_slice::<Value>(&body) {
                Ok(_) => Error::new(Kind::InvalidRequest, why),
                Err(why) => Error::new(Kind::Parse, why.to_string()),
            };
            let status = match error.kind {
                Kind::Parse => StatusCode::BAD_REQUEST,
                _ => StatusCode::OK,
            };
            return HttpResponse::build(status).json(answer(&Value::Null, Err(error)));
        }
    };
    let (id, is_notification) = (call.id.clone().unwrap_or(Value::Null), call.id.is_none());
    let answered = dispatch(&node, call).await;
    match is_notification {
        true => HttpResponse::NoContent().finish(),
        false => HttpResponse::Ok().json(answer(&id, answered)),
    }
}

async fn dispatch(node: &Handle, call: Call) -> Result<Value, Error> {
    let Call { jsonrpc, id, method, params } = call;
    let is_id = id.is_none_or(|id| id.is_string() || id.is_number() || id.is_null());
    if jsonrpc.as_deref() != Some("2.0") || !is_id {
        let why = "a call has `jsonrpc: \"2.0\"`, a method, and an id that is a string or a number";
        return Err(Error::new(Kind::InvalidRequest, why));
    }
    let method = method.ok_or_else(|| Error::new(Kind::InvalidRequest, "`method` is missing"))?;
    let params = params.as_deref().map_or("{}", RawValue::get);
    methods::call(node, &method, params).await
}

fn answer(id: &Value, answered: Result<Value, Error>) -> Value {
    match answered {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(error) => json!({ "jsonrpc": "2.0", "id": id, "error": error.json() }),
    }
}
