//! What a method is: a name, who may call it, what it touches, what it takes and what it gives.
//!
//! All of that stands beside the code that answers it, and from it come the dispatch, the order in which calls take
//! effect, who is let in, and the description that [`super::discover`] gives. So none of these can say anything else
//! than the others.

use std::pin::Pin;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::fault::{Error, Kind};
use super::order::How;
use crate::access::Access;
use crate::site::Site;

/// A method of the contract.
pub(crate) trait Method: 'static {
    /// What it is called by.
    const NAME: &'static str;
    /// What it does, in one sentence.
    const WHAT: &'static str;
    /// What whoever calls it has to be allowed.
    const ACCESS: Access;
    /// What it touches.
    const REACH: Reach;
    /// Whether a token for one context alone may call it, although it names none.
    const IS_OPEN: bool = false;
    /// What it takes. What is not known is refused.
    type Params: DeserializeOwned + JsonSchema + Aim;
    /// What it gives.
    type Result: Serialize + JsonSchema;

    /// Answers it.
    fn call(site: &Site, params: Self::Params)
    -> impl Future<Output = Result<Self::Result, Error>>;
}

/// What a method touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Nothing that another call could change.
    Nothing,
    /// The context that its params name.
    Context(How),
    /// Which contexts there are, or what they are called.
    Any,
}

/// What params are about.
pub(crate) trait Aim {
    /// The context that they name, if they name one: an id, a local name, or the beginning of an id.
    fn context(&self) -> Option<&str> {
        None
    }
}

/// Params that are about the context in their field of that name.
macro_rules! aims {
    ($($params:ty),+ $(,)?) => {
        $(impl $crate::rpc::Aim for $params {
            fn context(&self) -> Option<&str> {
                Some(&self.context)
            }
        })+
    };
}
pub(crate) use aims;

/// An answer on its way: the text of a result, or an error.
pub(crate) type Answer<'a> = Pin<Box<dyn Future<Output = Result<Box<str>, Error>> + 'a>>;

/// A call that was understood, and not begun.
pub(crate) trait Prepared {
    /// The context that it is about.
    fn context(&self) -> Option<&str>;

    /// What it is called by.
    fn name(&self) -> &'static str;

    /// What it touches.
    fn reach(&self) -> Reach;

    /// What whoever calls has to be allowed.
    fn access(&self) -> Access;

    /// Whether a token for one context alone may call it, although it names none.
    fn is_open(&self) -> bool;

    /// Begins it: by the first time that this is polled, a write has been handed over.
    fn begin(self: Box<Self>, site: &Site) -> Answer<'_>;
}

/// A method as others see it.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) access: Access,
    prepare: fn(&str) -> Result<Box<dyn Prepared>, Error>,
    pub(crate) params: fn(&mut SchemaGenerator) -> Schema,
    pub(crate) result: fn(&mut SchemaGenerator) -> Schema,
}

impl Row {
    /// The row of a method.
    pub(crate) const fn of<M: Method>() -> Self {
        Self {
            name: M::NAME,
            what: M::WHAT,
            access: M::ACCESS,
            prepare: prepare::<M>,
            params: SchemaGenerator::subschema_for::<M::Params>,
            result: SchemaGenerator::subschema_for::<M::Result>,
        }
    }

    /// Understands the text of params.
    pub(crate) fn prepare(&self, params: &str) -> Result<Box<dyn Prepared>, Error> {
        (self.prepare)(params)
    }
}

struct Waiting<M: Method>(M::Params);

fn prepare<M: Method>(params: &str) -> Result<Box<dyn Prepared>, Error> {
    Ok(Box::new(Waiting::<M>(read(params)?)))
}

/// Params, and if they are none, which of them is not.
fn read<T: DeserializeOwned>(params: &str) -> Result<T, Error> {
    let mut from = serde_json::Deserializer::from_str(params);
    serde_path_to_error::deserialize(&mut from).map_err(|why| {
        let path = why.path().to_string();
        // Where in the text it stands says nothing to who wrote an object.
        let told = why.inner().to_string();
        let told = told.split(" at line ").next().unwrap_or(&told);
        match path.as_str() {
            "." => Error::new(Kind::InvalidParams, told),
            path => Error::params(path, told),
        }
    })
}

impl<M: Method> Prepared for Waiting<M> {
    fn context(&self) -> Option<&str> {
        self.0.context()
    }

    fn name(&self) -> &'static str {
        M::NAME
    }

    fn reach(&self) -> Reach {
        M::REACH
    }

    fn access(&self) -> Access {
        M::ACCESS
    }

    fn is_open(&self) -> bool {
        M::IS_OPEN
    }

    fn begin(self: Box<Self>, site: &Site) -> Answer<'_> {
        Box::pin(async move {
            let result = M::call(site, self.0).await?;
            match serde_json::value::to_raw_value(&result) {
                Ok(raw) => Ok(Box::<str>::from(raw)),
                Err(why) => Err(Error::new(Kind::Internal, why.to_string())),
            }
        })
    }
}
