//! Where the node is, and the token by which it lets this program in.

use std::fs::File;
use std::io::Read;

use camino::{Utf8Path, Utf8PathBuf};
use ureq::http::Uri;
use zeroize::Zeroizing;

use crate::exit::Kind;
use crate::failure::Failure;
use crate::home::format;
use crate::running;
use crate::session::Session;

/// A longer file holds something else than a token.
const TOKEN_BYTES: u64 = 4_096;

/// Where a node is, and how one is let in.
pub(super) struct Place {
    /// Where its API is, without a slash at its end.
    pub(super) url: String,
    /// What lets one in.
    pub(super) token: Zeroizing<String>,
    /// Where that comes from.
    pub(super) token_file: Utf8PathBuf,
    /// What to do if nobody answers there.
    pub(super) hint: String,
}

/// The node that is named, or else the one that runs in the home.
pub(super) fn find(session: &Session) -> Result<Place, Failure> {
    let named = session.token_file.as_ref().map(|file| session.absolute(file));
    match (&session.api, named) {
        (Some(url), Some(token_file)) => {
            let url = address(url)?;
            let hint = "is it where `mangrove run` says that its API is?".to_owned();
            Ok(Place { url, token: token(&token_file)?, token_file, hint })
        }
        (Some(_), None) => {
            Err(Failure::new(Kind::Usage, "--api names a node, but no token for it")
                .hint("name the file that holds one: --token-file F"))
        }
        (None, named) => {
            format::check(&session.home)?;
            let root = session.home.root();
            let hint = format!("start it: mangrove run --home {root}");
            let url = running::api(&session.home).ok_or_else(|| {
                let what = format!("no node runs in {root}");
                Failure::new(Kind::NotReachable, what).hint(hint.as_str())
            })?;
            let token_file = named.unwrap_or_else(|| session.home.token_file());
            Ok(Place { url: address(&url)?, token: token(&token_file)?, token_file, hint })
        }
    }
}

/// The address of an API, as somebody wrote it.
fn address(text: &str) -> Result<String, Failure> {
    let refused = |why: String| {
        Failure::new(Kind::Usage, format!("`{text}` is no address of an API"))
            .because(why)
            .hint("write it like http://127.0.0.1:2770")
    };
    let url = match text.split_once("://") {
        Some(("http" | "https", _)) => text.to_owned(),
        Some((scheme, _)) => return Err(refused(format!("`{scheme}` is neither http nor https"))),
        None => format!("http://{text}"),
    };
    let url = url.trim_end_matches('/').to_owned();
    let uri = url.parse::<Uri>().map_err(|why| refused(why.to_string()))?;
    let is_whole = uri.scheme().is_some() && uri.host().is_some_and(|host| !host.is_empty());
    match uri.query() {
        _ if !is_whole => Err(refused("it names no host".to_owned())),
        Some(_) => Err(refused("it has a query".to_owned())),
        None => Ok(url),
    }
}

/// The token in a file.
fn token(path: &Utf8Path) -> Result<Zeroizing<String>, Failure> {
    let failed = || Failure::new(Kind::Refused, format!("cannot read a token from {path}"));
    let hint = "name a file that holds one: --token-file F";
    let mut text = Zeroizing::new(String::new());
    let opened = File::open(path);
    let read = opened.and_then(|file| file.take(TOKEN_BYTES).read_to_string(&mut text));
    read.map_err(|why| failed().because(why).hint(hint))?;
    let token = text.trim();
    match token.is_empty() || !token.chars().all(|c| c.is_ascii_graphic()) {
        true => Err(failed().because("what stands there is none").hint(hint)),
        false => Ok(Zeroizing::new(token.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_be_written_shortly() {
        for (text, expect) in [
            ("http://127.0.0.1:2770", "http://127.0.0.1:2770"),
            ("127.0.0.1:2770/", "http://127.0.0.1:2770"),
            ("https://node.example/mangrove//", "https://node.example/mangrove"),
            ("http://[::1]:2770", "http://[::1]:2770"),
        ] {
            assert_eq!(address(text).unwrap(), expect);
        }
        for text in ["", "ftp://x", "http://", "http://a b", "http://x/?a=b", "ws://x"] {
            assert_eq!(address(text).unwrap_err().kind(), Kind::Usage, "{text}");
        }
    }

    #[test]
    fn a_token_is_one_word() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap().join("token");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            token(&path).map(|token| token.to_string()).map_err(|failure| failure.kind())
        };
        assert_eq!(read("  mgt_abc\n"), Ok("mgt_abc".to_owned()));
        for text in ["", "\n", "two words", "größer", "a\r\nb: c"] {
            assert_eq!(read(text), Err(Kind::Refused), "{text}");
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(token(&path).unwrap_err().kind(), Kind::Refused);
    }
}
