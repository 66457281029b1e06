//! Reading answers by the contract: what is missing or of another type is said, never made up.

use serde_json::Value;

use super::error::RpcError;

/// Part of an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape<'v> {
    what: &'static str,
    value: &'v Value,
}

impl<'v> Shape<'v> {
    /// An answer to `what`.
    pub(super) const fn of(what: &'static str, value: &'v Value) -> Self {
        Self { what, value }
    }

    /// What is under a name, which must be there.
    pub(super) fn field(&self, name: &str) -> Result<&'v Value, RpcError> {
        self.value.get(name).ok_or_else(|| self.misshapen(name, "is missing"))
    }

    pub(super) fn text(&self, name: &str) -> Result<String, RpcError> {
        let text = self.field(name)?.as_str();
        text.map(str::to_owned).ok_or_else(|| self.misshapen(name, "is not a text"))
    }

    /// A text, or null.
    pub(super) fn text_or_null(&self, name: &str) -> Result<Option<String>, RpcError> {
        let value = self.field(name)?;
        if value.is_null() { Ok(None) } else { self.text(name).map(Some) }
    }

    pub(super) fn number(&self, name: &str) -> Result<u64, RpcError> {
        let number = self.field(name)?.as_u64();
        number.ok_or_else(|| self.misshapen(name, "is not a whole number"))
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, RpcError> {
        let flag = self.field(name)?.as_bool();
        flag.ok_or_else(|| self.misshapen(name, "is neither true nor false"))
    }

    pub(super) fn list(&self, name: &str) -> Result<&'v [Value], RpcError> {
        let list = self.field(name)?.as_array();
        list.map(Vec::as_slice).ok_or_else(|| self.misshapen(name, "is not a list"))
    }

    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, RpcError> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let texts = self.list(name)?.iter().map(text).collect::<Option<_>>();
        texts.ok_or_else(|| self.misshapen(name, "is not a list of texts"))
    }

    pub(super) fn misshapen(&self, name: &str, why: &str) -> RpcError {
        RpcError::misshapen(self.what, format!("`{name}` {why}"), &self.value.to_string())
    }
}
