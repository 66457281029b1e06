//! What the API offers, as an OpenRPC document. It is made of the rows that calls are answered by.

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::fault::{Error, Kind};
use super::method::{Method, Reach, Row};
use super::table::METHODS;
use crate::access::Access;
use crate::shape::{Json, Nothing};
use crate::site::Site;

/// The version of OpenRPC that the document is written in.
const OPEN_RPC: &str = "1.3.2";

/// What the API offers.
pub(crate) struct Discover;

impl Method for Discover {
    const NAME: &'static str = "rpc.discover";
    const WHAT: &'static str = "Describes all methods, as an OpenRPC document.";
    const ACCESS: Access = Access::Read;
    const REACH: Reach = Reach::Nothing;
    const IS_OPEN: bool = true;
    type Params = Nothing;
    type Result = Json;

    async fn call(_: &Site, Nothing {}: Nothing) -> Result<Json, Error> {
        Ok(Json::told(&document()))
    }
}

/// The document.
pub(crate) fn document() -> Value {
    let mut generator = SchemaSettings::draft07()
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator();
    let methods = METHODS.iter().map(|row| method(row, &mut generator)).collect::<Vec<_>>();
    let errors = Kind::ALL.iter().map(|kind| (kind.name().to_owned(), error(*kind)));
    let errors = errors.collect::<Map<_, _>>();
    let elsewhere = Kind::ALL.iter().map(|kind| {
        let told = json!({ "httpStatus": kind.status(), "exitCode": kind.exit() });
        (kind.name().to_owned(), told)
    });
    json!({
        "openrpc": OPEN_RPC,
        "info": {
            "title": "Mangrove",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What programs ask of a node. Answers may have more fields than are told here.",
            "license": { "name": env!("CARGO_PKG_LICENSE") },
        },
        "methods": methods,
        "components": { "schemas": generator.take_definitions(true), "errors": errors },
        // The specification has no place for it among errors.
        "x-errors": elsewhere.collect::<Map<_, _>>(),
    })
}

fn method(row: &Row, generator: &mut SchemaGenerator) -> Value {
    let params = resolve(&(row.params)(generator), generator);
    let required = params.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let properties = params.get("properties").and_then(Value::as_object).cloned();
    let params = properties.unwrap_or_default().into_iter().map(|(name, mut schema)| {
        let what = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        let is_required = required.iter().any(|it| *it == name.as_str());
        let mut param = json!({ "name": name, "required": is_required, "schema": schema });
        if let (Some(param), Some(what)) = (param.as_object_mut(), what) {
            param.insert("description".to_owned(), what);
        }
        param
    });
    let params = params.collect::<Vec<_>>();
    let result = (row.result)(generator);
    json!({
        "name": row.name,
        "summary": row.what,
        "description": format!("Needs a token for {}.", row.access.name()),
        "paramStructure": "by-name",
        "params": params,
        "result": { "name": "result", "schema": result },
        "errors": Kind::ALL.iter().filter(|kind| kind.is_of_methods()).map(|kind| {
            json!({ "$ref": format!("#/components/errors/{}", kind.name()) })
        }).collect::<Vec<_>>(),
    })
}

fn error(kind: Kind) -> Value {
    json!({
        "code": kind.code(),
        "message": kind.name(),
        "data": { "kind": kind.name() },
    })
}

/// What a reference refers to. It stands where it is wanted, and nowhere else.
fn resolve(schema: &Schema, generator: &mut SchemaGenerator) -> Value {
    let reference = schema.get("$ref").and_then(Value::as_str);
    let name = reference.and_then(|path| path.rsplit('/').next());
    let found = name.and_then(|name| generator.definitions_mut().remove(name));
    found.unwrap_or_else(|| schema.clone().to_value())
}
