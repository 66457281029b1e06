//! Origins of pages, as browsers name them.

use std::fmt;

use crate::host::Host;
use crate::setting::{Text, Unfit};

/// Where a page comes from: a scheme, a host, and a port if it is not the usual one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_origin(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() => (host, Some(port)),
        _ => (rest, None),
    };
    let usual = if scheme == "https" { "443" } else { "80" };
    let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok() && port != usual);
    ["http", "https"].contains(&scheme) && is_port && Host::parse(host).is_ok()
}

impl Text for Origin {
    const EXPECTED: &'static str = "the origin of a page";

    fn parse(text: &str) -> Result<Self, Unfit> {
        let text = text.to_ascii_lowercase();
        if is_origin(&text) {
            return Ok(Self(text));
        }
        let hint =
            "write scheme and host as a browser does, without a path: https://app.example.org";
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
    fn an_origin_is_written_as_browsers_do() {
        for text in ["https://app.example", "http://localhost:5173", "HTTPS://App.Example:8443"] {
            assert_eq!(Origin::parse(text).unwrap().to_string(), text.to_ascii_lowercase());
        }
        for text in
            ["", "*", "null", "app.example", "https://", "https://a/", "ftp://a", "https://a:443"]
        {
            assert!(Origin::parse(text).is_err(), "{text}");
        }
    }
}
