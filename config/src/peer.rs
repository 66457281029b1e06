//! Peers, as people write them.

use std::fmt;

use crate::setting::{Text, Unfit};

/// A peer id. Its shape is checked here, and the rest where it is used: ids belong to the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer(String);

impl Peer {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a text has the shape of the PeerId of an Ed25519 key: its fixed beginning, its length
    /// and its alphabet.
    pub(crate) fn is_shaped(text: &str) -> bool {
        let is_base58 = |c: char| c.is_ascii_alphanumeric() && !matches!(c, '0' | 'O' | 'I' | 'l');
        text.len() == 52 && text.starts_with("12D3KooW") && text.chars().all(is_base58)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Text for Peer {
    const EXPECTED: &'static str = "a peer id";

    fn parse(text: &str) -> Result<Self, Unfit> {
        if Self::is_shaped(text) {
            return Ok(Self(text.to_owned()));
        }
        let hint = match text.rsplit_once("/p2p/") {
            Some((_, peer)) if Self::is_shaped(peer) => format!("write the id alone: {peer}"),
            _ => "it has 52 letters and digits and begins with 12D3KooW".to_owned(),
        };
        Err(Unfit::new(format!("`{text}` is not {}", Self::EXPECTED)).hint(hint))
    }

    fn print(&self) -> String {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";

    #[track_caller]
    fn refuses(text: &str, hint: &str) {
        let why = Unfit::new(format!("`{text}` is not a peer id")).hint(hint);
        assert_eq!(Peer::parse(text), Err(why));
    }

    #[test]
    fn a_peer_is_what_has_the_shape_of_an_id() {
        assert_eq!(Peer::parse(PEER).unwrap().print(), PEER);
        let shape = "it has 52 letters and digits and begins with 12D3KooW";
        refuses("", shape);
        refuses("bob", shape);
        refuses(PEER.strip_prefix('1').unwrap(), shape);
        refuses(&format!("{PEER}N"), shape);
        refuses(&PEER.replace("12D3", "12d3"), shape);
        for never in ['0', 'O', 'I', 'l', '-'] {
            refuses(&PEER.replace('x', &never.to_string()), shape);
        }
        let address = format!("/ip4/192.0.2.7/tcp/2771/p2p/{PEER}");
        refuses(&address, &format!("write the id alone: {PEER}"));
    }
}
