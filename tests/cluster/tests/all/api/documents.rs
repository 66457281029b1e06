//! The reference of the API is what a node says of itself. `make doc` writes it anew.

use std::fs;

use mangrove_cluster::{Node, Plan};
use serde_json::Value;

use super::say;
use crate::place;

const INTRODUCTION: &str = "\
# The methods of the API

This page is made from what a node answers to `rpc.discover`; do not edit it by hand (`make doc` writes it). How calls are
made is told in [the API](api.md). A field with `?` may be left out. Answers may have more fields than are told here.
";

/// What a schema lets through, in a few words.
fn type_of(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap();
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(value) = schema.get("const") {
        return format!("`{value}`");
    }
    if let Some(values) = schema["enum"].as_array() {
        let values = values.iter().map(|value| format!("`{value}`"));
        return values.collect::<Vec<_>>().join(" or ");
    }
    for way in ["anyOf", "oneOf", "allOf"] {
        if let Some(ways) = schema[way].as_array() {
            return ways.iter().map(type_of).collect::<Vec<_>>().join(" or ");
        }
    }
    match &schema["type"] {
        Value::String(name) if name == "array" => format!("list of {}", type_of(&schema["items"])),
        Value::String(name) if name == "object" && schema.get("properties").is_some() => {
            format!("{{{}}}", inline(schema))
        }
        Value::String(name) => name.clone(),
        Value::Array(names) => {
            names.iter().map(|name| name.as_str().unwrap()).collect::<Vec<_>>().join(" or ")
        }
        _ => "any JSON".to_owned(),
    }
}

/// The fields of an object on one line.
fn inline(schema: &Value) -> String {
    let field = |(name, of, is_required): (&String, &Value, bool)| {
        format!("`{name}`{}: {}", if is_required { "" } else { "?" }, type_of(of))
    };
    fields(schema).into_iter().map(field).collect::<Vec<_>>().join(", ")
}

fn fields(schema: &Value) -> Vec<(&String, &Value, bool)> {
    let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
    let all = schema["properties"].as_object().into_iter().flatten();
    all.map(|(name, of)| (name, of, required.iter().any(|it| *it == name.as_str()))).collect()
}

fn row(page: &mut String, (name, is_required): (&str, bool), schema: &Value, what: &str) {
    let mark = if is_required { "" } else { "?" };
    let type_of = type_of(schema).replace('|', "\\|");
    page.push_str(&format!("| `{name}`{mark} | {type_of} | {} |\n", what.replace('\n', " ")));
}

fn method(method: &Value, page: &mut String) {
    let text = |name: &str| method[name].as_str().unwrap_or_default();
    page.push_str(&format!(
        "\n## `{}`\n\n{} {}\n",
        text("name"),
        text("summary"),
        text("description")
    ));
    let params = method["params"].as_array().unwrap();
    if !params.is_empty() {
        page.push_str("\n| param | | |\n|---|---|---|\n");
    }
    for param in params {
        let name = param["name"].as_str().unwrap();
        let what = param["description"].as_str().unwrap_or_default();
        row(page, (name, param["required"] == true), &param["schema"], what);
    }
    page.push_str(&format!("\nGives {}.\n", type_of(&method["result"]["schema"])));
}

fn shape(name: &str, schema: &Value, page: &mut String) {
    let what = schema["description"].as_str().unwrap_or_default();
    page.push_str(&format!("\n### {name}\n\n{what}\n"));
    for way in ["oneOf", "anyOf"] {
        for one in schema[way].as_array().into_iter().flatten() {
            let what = one["description"].as_str().unwrap_or_default();
            page.push_str(&format!("\n- {} {what}", type_of(one)));
        }
    }
    let fields = fields(schema);
    if fields.is_empty() {
        page.push('\n');
        return;
    }
    page.push_str("\n| field | | |\n|---|---|---|\n");
    for (name, of, is_required) in fields {
        let what = of["description"].as_str().unwrap_or_default();
        row(page, (name, is_required), of, what);
    }
}

#[test]
fn the_reference_is_what_a_node_says() {
    let node = Node::start(&place(), Plan::new("node"));
    let bearer = format!("Bearer {}", node.token());
    let document = say(&node, "GET /openrpc.json", &[("Authorization", &bearer)], b"").json();
    let mut page = INTRODUCTION.to_owned();
    document["methods"].as_array().unwrap().iter().for_each(|it| method(it, &mut page));
    page.push_str("\n## Shapes\n");
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        shape(name, schema, &mut page);
    }
    page.push_str("\n## Errors\n\n| kind | code | status of HTTP, where no call was parsed | exit code of commands |\n|---|---|---|---|\n");
    for (kind, error) in document["components"]["errors"].as_object().unwrap() {
        let elsewhere = &document["x-errors"][kind];
        page.push_str(&format!(
            "| `{kind}` | {} | {} | {} |\n",
            error["code"], elsewhere["httpStatus"], elsewhere["exitCode"]
        ));
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/methods.md");
    if std::env::var_os("MANGROVE_BLESS").is_some() {
        fs::write(path, &page).unwrap();
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    assert!(found == page, "docs/methods.md is out of date: run `make doc`");
}
