//! What a single setting can be, and how it is read and printed.

use toml_edit::{Array, Value};

/// Why a value does not fit its setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// What is wrong, as the end of a sentence that begins with the key.
    pub why: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl Unfit {
    /// A value that is wrong for this reason.
    pub fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), hint: None }
    }

    /// The same, with what to write instead.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Says so if a number is not in its range.
    pub(crate) fn outside(value: u64, least: u64, most: u64) -> Option<Self> {
        let is_outside = value < least || value > most;
        is_outside.then(|| Self::new(format!("{value} is not between {least} and {most}")))
    }

    /// The first of these keys whose number is not between its bounds.
    pub(crate) fn first_outside<const N: usize>(
        rules: [(&'static str, u64, u64, u64); N],
    ) -> Option<(&'static str, Self)> {
        rules.into_iter().find_map(|(key, value, least, most)| {
            Self::outside(value, least, most).map(|unfit| (key, unfit))
        })
    }

    fn wrong_type(expected: &str, found: &Value) -> Self {
        Self::new(format!("expected {expected}, found {}", article(found.type_name())))
    }
}

fn article(noun: &str) -> String {
    let vowel = noun.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {noun}", if vowel { "an" } else { "a" })
}

/// The type of a setting.
///
/// `from_toml` reads what stands in a file, `from_text` what stands in an environment variable or
/// on a command line. Both must accept what `to_toml` prints.
pub trait Setting: Clone + PartialEq + std::fmt::Debug {
    /// What is expected, as a noun with its article.
    const EXPECTED: &'static str;

    /// Reads a value of a TOML file.
    fn from_toml(value: &Value) -> Result<Self, Unfit>;

    /// Reads a value given as bare text.
    fn from_text(text: &str) -> Result<Self, Unfit>;

    /// The value as it would stand in a TOML file.
    fn to_toml(&self) -> Value;
}

impl Setting for bool {
    const EXPECTED: &'static str = "true or false";

    fn from_toml(value: &Value) -> Result<Self, Unfit> {
        value.as_bool().ok_or_else(|| Unfit::wrong_type(Self::EXPECTED, value))
    }

    fn from_text(text: &str) -> Result<Self, Unfit> {
        text.parse().map_err(|_| Unfit::new(format!("expected true or false, found `{text}`")))
    }

    fn to_toml(&self) -> Value {
        (*self).into()
    }
}

impl Setting for u64 {
    const EXPECTED: &'static str = "a whole number";

    fn from_toml(value: &Value) -> Result<Self, Unfit> {
        let number = value.as_integer().ok_or_else(|| Unfit::wrong_type(Self::EXPECTED, value))?;
        Self::try_from(number).map_err(|_| Unfit::new(format!("{number} is less than 0")))
    }

    fn from_text(text: &str) -> Result<Self, Unfit> {
        text.replace('_', "")
            .parse()
            .map_err(|_| Unfit::new(format!("expected {}, found `{text}`", Self::EXPECTED)))
    }

    fn to_toml(&self) -> Value {
        i64::try_from(*self).unwrap_or(i64::MAX).into()
    }
}

/// A setting written as one string, in a file as elsewhere.
///
/// Implementing this is all that such a type needs; [`Setting`] follows.
pub trait Text: Clone + PartialEq + std::fmt::Debug {
    /// What is expected, as a noun with its article.
    const EXPECTED: &'static str;

    /// Reads it.
    fn parse(text: &str) -> Result<Self, Unfit>;

    /// Prints it so that [`Text::parse`] reads the same value.
    fn print(&self) -> String;
}

impl<T: Text> Setting for T {
    const EXPECTED: &'static str = T::EXPECTED;

    fn from_toml(value: &Value) -> Result<Self, Unfit> {
        let text = value.as_str().ok_or_else(|| Unfit::wrong_type(T::EXPECTED, value))?;
        T::parse(text)
    }

    fn from_text(text: &str) -> Result<Self, Unfit> {
        T::parse(text)
    }

    fn to_toml(&self) -> Value {
        self.print().into()
    }
}

/// A list. As bare text its items stand between commas, or as a TOML array.
impl<T: Text> Setting for Vec<T> {
    const EXPECTED: &'static str = "a list";

    fn from_toml(value: &Value) -> Result<Self, Unfit> {
        let items = value.as_array().ok_or_else(|| {
            let unfit = Unfit::wrong_type(Self::EXPECTED, value);
            match value.as_str() {
                Some(one) => unfit.hint(format!("put it in brackets: [\"{one}\"]")),
                None => unfit,
            }
        })?;
        let numbered = items.iter().enumerate();
        numbered.map(|(at, item)| T::from_toml(item).map_err(|unfit| nth(at, unfit))).collect()
    }

    fn from_text(text: &str) -> Result<Self, Unfit> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self::new());
        }
        if text.starts_with('[') {
            let value = text.parse::<Value>();
            return Self::from_toml(&value.map_err(|why| Unfit::new(why.message().to_owned()))?);
        }
        let numbered = text.split(',').enumerate();
        numbered.map(|(at, item)| T::parse(item.trim()).map_err(|unfit| nth(at, unfit))).collect()
    }

    fn to_toml(&self) -> Value {
        Value::Array(self.iter().map(Text::print).collect::<Array>())
    }
}

fn nth(at: usize, unfit: Unfit) -> Unfit {
    Unfit { why: format!("item {}: {}", at + 1, unfit.why), hint: unfit.hint }
}
