//! The one text of every JSON value: RFC 8785.
//!
//! Two nodes that are told the same value keep the same bytes, whatever the order of the members,
//! the spelling of the numbers and the spaces were. So values can be compared, ordered and counted
//! by their bytes, and nothing below this crate needs to know JSON.
//!
//! What has no canonical text is refused: text that is not JSON, names that occur twice, halves of
//! surrogate pairs, and numbers that reading and printing a double would change. The last is
//! stricter than the RFC, which rounds them: here nothing is kept that was not sent. Noncharacters
//! of Unicode are kept as they are.

mod members;
mod number;
mod path;
mod reader;
mod string;
#[cfg(test)]
mod tests;
mod unfit;

use std::borrow::Cow;

use data_encoding::BASE64;

pub use unfit::Unfit;

use reader::Reader;

/// The canonical bytes of one JSON document.
///
/// Takes memory in proportion to `text`, and time too, but for sorting: an object out of order is
/// moved once for every object that is around it, so up to [`limits::JSON_DEPTH`] times. The answer
/// can be longer than `text` (`1e20` has 21 digits), so that is what to compare with a limit.
///
/// [`limits::JSON_DEPTH`]: mangrove_protocol::limits::JSON_DEPTH
pub fn canonical(text: &str) -> Result<Vec<u8>, Unfit> {
    Reader::read(text)
}

/// Whether these bytes are JSON, and their own canonical form. Those of a foreign node need not be.
pub fn is_canonical(bytes: &[u8]) -> bool {
    document(bytes).is_some()
}

/// The JSON that stands for these bytes: themselves if they are canonical, else
/// `{"$bytes":"<base64>"}`, which is canonical too.
///
/// An application that keeps an object with that one member itself is shown that, so whoever must
/// tell the two apart asks [`is_canonical`].
pub fn shown(bytes: &[u8]) -> Cow<'_, str> {
    match document(bytes) {
        Some(text) => text.into(),
        None => format!(r#"{{"$bytes":"{}"}}"#, BASE64.encode(bytes)).into(),
    }
}

fn document(bytes: &[u8]) -> Option<&str> {
    let text = str::from_utf8(bytes).ok()?;
    (canonical(text).ok()? == bytes).then_some(text)
}
