//! A section of the configuration: a settings struct that knows its own keys.

use toml_edit::Value;

use crate::setting::Unfit;

/// One key, as the documentation shows it.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name within the section.
    pub name: &'static str,
    /// What it means, line by line.
    pub doc: &'static [&'static str],
    /// What may be written, as a noun with its article.
    pub expected: &'static str,
}

/// A value on its way in.
#[derive(Debug, Clone, Copy)]
pub enum Raw<'a> {
    /// From a file.
    Toml(&'a Value),
    /// From the environment or the command line.
    Text(&'a str),
}

/// A settings struct, seen as keys and values.
pub trait Section {
    /// Its name.
    fn name(&self) -> &'static str;

    /// What it is about, line by line.
    fn doc(&self) -> &'static [&'static str];

    /// Its keys, in the order they are documented.
    fn keys(&self) -> &'static [Key];

    /// Sets `key`; `None` if there is no such key. What does not fit changes nothing.
    fn set(&mut self, key: &str, raw: Raw<'_>) -> Option<Result<(), Unfit>>;

    /// What `key` is set to; `None` if there is no such key.
    fn get(&self, key: &str) -> Option<Value>;
}

/// Declares a section: its struct, its defaults and its documentation, each said once.
macro_rules! section {
    (
        $(#[doc = $doc:literal])+
        $name:literal => $type:ident {
            $(
                $(#[doc = $key_doc:literal])+
                $key:ident: $key_type:ty = $default:expr,
            )+
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq)]
        pub struct $type {
            $($(#[doc = $key_doc])+ pub $key: $key_type,)+
        }

        impl Default for $type {
            fn default() -> Self {
                Self { $($key: $default,)+ }
            }
        }

        impl $crate::section::Section for $type {
            fn name(&self) -> &'static str {
                $name
            }

            fn doc(&self) -> &'static [&'static str] {
                &[$($doc),+]
            }

            fn keys(&self) -> &'static [$crate::section::Key] {
                &[$($crate::section::Key {
                    name: stringify!($key),
                    doc: &[$($key_doc),+],
                    expected: <$key_type as $crate::setting::Setting>::EXPECTED,
                }),+]
            }

            fn set(
                &mut self,
                key: &str,
                raw: $crate::section::Raw<'_>,
            ) -> Option<Result<(), $crate::setting::Unfit>> {
                use $crate::section::Raw;
                use $crate::setting::Setting;
                match key {
                    $(stringify!($key) => {
                        let value = match raw {
                            Raw::Toml(value) => <$key_type as Setting>::from_toml(value),
                            Raw::Text(text) => <$key_type as Setting>::from_text(text),
                        };
                        Some(value.map(|value| self.$key = value))
                    })+
                    _ => None,
                }
            }

            fn get(&self, key: &str) -> Option<toml_edit::Value> {
                use $crate::setting::Setting;
                match key {
                    $(stringify!($key) => Some(self.$key.to_toml()),)+
                    _ => None,
                }
            }
        }
    };
}

pub(crate) use section;
