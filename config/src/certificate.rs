//! Files that a setting may name.

use camino::{Utf8Path, Utf8PathBuf};

use crate::setting::{Text, Unfit};

/// A file, or none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct File(Option<Utf8PathBuf>);

impl File {
    /// Where it is, if there is to be one.
    pub fn path(&self) -> Option<&Utf8Path> {
        self.0.as_deref()
    }
}

impl Text for File {
    const EXPECTED: &'static str = "the path of a file, or nothing";

    fn parse(text: &str) -> Result<Self, Unfit> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        let path = Utf8PathBuf::from(text);
        match path.is_absolute() && !text.ends_with('/') {
            true => Ok(Self(Some(path))),
            false => {
                let why = format!("`{text}` is not the whole path of a file");
                Err(Unfit::new(why).hint("write it from the root: /etc/mangrove/cert.pem"))
            }
        }
    }

    fn print(&self) -> String {
        self.0.as_ref().map_or_else(String::new, ToString::to_string)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_from_the_root_or_not_at_all() {
        assert_eq!(File::parse("").unwrap().path(), None);
        let file = File::parse("/etc/a.pem").unwrap();
        assert_eq!((file.path().unwrap().as_str(), file.print()), ("/etc/a.pem", file.print()));
        for text in ["a.pem", "./a", "/etc/"] {
            assert!(File::parse(text).is_err(), "{text}");
        }
    }
}
