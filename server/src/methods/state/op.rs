//! What an application writes, and under which conditions, as it says it.

use mangrove_protocol::op::Value;
use mangrove_protocol::request::{Condition, Edit, Expect};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::key;
use crate::canonical::canonical;
use crate::rpc::{self, Error};
use crate::shape::{Json, KindName};

/// One operation as it comes. A value is kept as it was written, which serde does only for fields of a struct: so what
/// belongs to which operation is looked at here, and [`OpShape`] describes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Op {
    op: String,
    key: Option<String>,
    kind: Option<KindName>,
    value: Option<Box<RawValue>>,
    item: Option<Box<RawValue>>,
    by: Option<i64>,
    name: Option<String>,
    data: Option<Box<RawValue>>,
}

/// One operation.
#[derive(JsonSchema)]
#[schemars(rename = "Op", tag = "op", rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "it describes")]
pub(super) enum OpShape {
    /// Sets a register.
    Put { key: String, value: Json },
    /// Deletes an entity: a register unless something else is said.
    Delete { key: String, kind: Option<KindName> },
    /// Adds to a counter.
    Increment { key: String, by: i64 },
    /// Puts an item into a set.
    Insert { key: String, item: Json },
    /// Takes an item out of a set.
    Remove { key: String, item: Json },
    /// Tells whoever listens something, and keeps nothing of it but in the feed.
    Emit { name: String, data: Json },
}

/// One condition as it comes: the version that a key has, or that there is nothing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Condition")]
pub(super) struct Expected {
    /// Of what.
    key: String,
    /// What it is: `register` unless something else is said.
    #[serde(default)]
    kind: KindName,
    /// The version that it has.
    version: Option<String>,
    /// That there is nothing.
    absent: Option<bool>,
}

fn bytes(what: &str, raw: &RawValue) -> Result<Vec<u8>, Error> {
    canonical(raw.get()).map_err(|why| Error::params(what, &why).hint(why.hint()))
}

fn value(what: &str, raw: &RawValue) -> Result<Value, Error> {
    let too_long = |why| Error::new(rpc::Kind::TooLarge, format!("`{what}`: {why}"));
    Value::new(&bytes(what, raw)?).map_err(too_long)
}

impl Op {
    pub(super) fn edit(self, at: usize) -> Result<Edit, Error> {
        let Self { op, key: name_of, kind: kind_of, value: val, item, by, name, data } = self;
        let field = |what: &str| format!("ops[{at}].{what}");
        let missing = |what: &str| Error::params(&field(what), "it is missing");
        let stray = |what: &str| Error::params(&field(what), format!("`{op}` has none"));
        let given = [
            ("kind", kind_of.is_some(), op == "delete"),
            ("value", val.is_some(), op == "put"),
            ("item", item.is_some(), op == "insert" || op == "remove"),
            ("by", by.is_some(), op == "increment"),
            ("name", name.is_some(), op == "emit"),
            ("data", data.is_some(), op == "emit"),
            ("key", name_of.is_some(), op != "emit"),
        ];
        if let Some((what, ..)) = given.iter().find(|(_, is_given, fits)| *is_given && !fits) {
            return Err(stray(what));
        }
        let the_key = || {
            let text = name_of.as_deref().ok_or_else(|| missing("key"))?;
            key(&field("key"), text)
        };
        let the_item = || {
            let raw = item.as_deref().ok_or_else(|| missing("item"))?;
            value(&field("item"), raw)
        };
        Ok(match op.as_str() {
            "put" => {
                let raw = val.as_deref().ok_or_else(|| missing("value"))?;
                Edit::Put(the_key()?, value(&field("value"), raw)?)
            }
            "delete" => Edit::Delete(kind_of.unwrap_or_default().into(), the_key()?),
            "increment" => Edit::Increment(the_key()?, by.ok_or_else(|| missing("by"))?),
            "insert" => Edit::Insert(the_key()?, the_item()?),
            "remove" => Edit::Remove(the_key()?, the_item()?),
            "emit" => {
                let raw = data.as_deref().ok_or_else(|| missing("data"))?;
                Edit::Emit(name.ok_or_else(|| missing("name"))?, bytes(&field("data"), raw)?)
            }
            other => {
                let known = "put, delete, increment, insert, remove, emit";
                return Err(Error::params(&field("op"), format!("`{other}` is none of {known}")));
            }
        })
    }
}

impl Expected {
    pub(super) fn condition(self, at: usize) -> Result<Condition, Error> {
        let field = |what: &str| format!("conditions[{at}].{what}");
        let expect = match (&self.version, self.absent) {
            (Some(version), None) => {
                let version =
                    version.parse().map_err(|why| Error::params(&field("version"), why))?;
                Expect::Version(version)
            }
            (None, Some(true)) => Expect::Absent,
            _ => {
                let why = "either a version, or `absent: true`";
                return Err(Error::params(&field("version"), why));
            }
        };
        let key = key(&field("key"), &self.key)?;
        Ok(Condition { kind: self.kind.into(), key, expect })
    }
}
