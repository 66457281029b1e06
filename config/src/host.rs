//! Names of hosts, as people write them.

use std::fmt;

use crate::setting::{Text, Unfit};

/// Characters of the longest name.
const MOST: usize = 253;

/// The name of a host, without a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host(String);

impl Host {
    /// The name, in small letters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Text for Host {
    const EXPECTED: &'static str = "the name of a host";

    fn parse(text: &str) -> Result<Self, Unfit> {
        let is_label = |label: &str| {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            !label.is_empty() && label.len() < 64 && label.chars().all(is_plain)
        };
        if text.len() <= MOST && text.split('.').all(is_label) {
            return Ok(Self(text.to_ascii_lowercase()));
        }
        let hint = "write the name alone, without a port or a path: node.example.org";
        Err(Unfit::new(format!("`{text}` is not {}", Self::EXPECTED)).hint(hint))
    }

    fn print(&self) -> String {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_name_alone() {
        for (text, expect) in [("Node.Example", "node.example"), ("a", "a"), ("a-b.c_d", "a-b.c_d")]
        {
            assert_eq!(Host::parse(text).unwrap().as_str(), expect);
        }
        for text in ["", ".", "a.", "a:80", "http://a", "a/b", "a b", &"a".repeat(64)] {
            assert!(Host::parse(text).is_err(), "{text}");
        }
    }
}
