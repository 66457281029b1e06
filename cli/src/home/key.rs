//! The file `node.key`: who this node is.
//!
//! The peer id stands in it readable, so that it can be told without a passphrase and a damaged
//! secret is noticed; the secret stands beside it, in an encrypted home sealed under its data key.

use std::fs;

use data_encoding::BASE32_NOPAD;
use mangrove_config::Home;
use mangrove_protocol::id::PeerId;
use mangrove_protocol::keys::{NODE_KEYS_BYTES, NodeKeys};
use mangrove_store::seal::{DataKey, SEAL_ENTROPY_BYTES};
use toml_edit::{DocumentMut, Item};
use zeroize::Zeroizing;

use crate::exit::Kind;
use crate::failure::Failure;

const PURPOSE: &str = "mangrove node.key v1";

/// The text of the file.
pub(super) fn document(
    secret: &[u8; NODE_KEYS_BYTES],
    data_key: Option<&DataKey>,
    nonce: [u8; SEAL_ENTROPY_BYTES],
) -> Zeroizing<String> {
    let peer = NodeKeys::from_bytes(secret).peer();
    let (name, value) = match data_key {
        Some(data_key) => ("sealed", BASE32_NOPAD.encode(&data_key.seal(PURPOSE, secret, nonce))),
        None => ("secret", BASE32_NOPAD.encode(secret)),
    };
    let value = Zeroizing::new(value.to_ascii_lowercase());
    Zeroizing::new(format!(
        "# The keys of this node. Whoever has them is this node: keep a copy, and keep it to yourself.\n\
         version = 1\n\
         peer = \"{peer}\"\n\
         {name} = \"{}\"\n",
        value.as_str()
    ))
}

/// Whose keys they are; that stands readable in an encrypted home too.
pub(super) fn peer(home: &Home) -> Result<PeerId, Failure> {
    let path = home.key_file();
    let failed = || Failure::new(Kind::Storage, format!("cannot read the keys in {path}"));
    let text =
        fs::read_to_string(&path).map(Zeroizing::new).map_err(|why| failed().because(why))?;
    let document = text.parse::<DocumentMut>().map_err(|why| failed().because(why.message()))?;
    let peer = document.get("peer").and_then(Item::as_str).and_then(|peer| peer.parse().ok());
    peer.ok_or_else(|| failed().because("the file is damaged"))
}

/// The keys of a home. Those of an encrypted one are opened by its data key.
pub(super) fn read(home: &Home, data_key: Option<&DataKey>) -> Result<NodeKeys, Failure> {
    let path = home.key_file();
    let failed = || Failure::new(Kind::Storage, format!("cannot read the keys in {path}"));
    let text =
        fs::read_to_string(&path).map(Zeroizing::new).map_err(|why| failed().because(why))?;
    let document = text.parse::<DocumentMut>().map_err(|why| failed().because(why.message()))?;
    let field = |name: &str| document.get(name).and_then(Item::as_str);
    let secret = match (field("secret"), field("sealed")) {
        (Some(secret), None) => decode(secret),
        (None, Some(sealed)) => match decode(sealed) {
            Some(sealed) => Some(open(&sealed, data_key)?),
            None => None,
        },
        _ => None,
    };
    let keys =
        secret.and_then(|secret| Some(NodeKeys::from_bytes(secret.as_slice().try_into().ok()?)));
    let peer = field("peer").and_then(|peer| peer.parse::<PeerId>().ok());
    let whole = keys.filter(|keys| Some(keys.peer()) == peer);
    whole.ok_or_else(|| {
        failed().because("the file is damaged").hint("restore it from the copy you keep of it")
    })
}

fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).ok().map(Zeroizing::new)
}

fn open(sealed: &[u8], data_key: Option<&DataKey>) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let data_key = data_key.ok_or_else(|| {
        Failure::new(Kind::Refused, "the home is encrypted").because("no passphrase was given")
    })?;
    data_key.open(PURPOSE, sealed).map_err(super::unsealed)
}

/// The data key of an encrypted home.
pub(crate) fn data_key(home: &Home, passphrase: &[u8]) -> Result<DataKey, Failure> {
    let path = home.data_key_file();
    let wrapped = fs::read(&path).map_err(|error| {
        Failure::new(Kind::Storage, format!("cannot read the data key in {path}")).because(error)
    })?;
    DataKey::unwrap(&wrapped, passphrase).map_err(super::unsealed)
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;
    use mangrove_store::seal::{Cost, WRAP_ENTROPY_BYTES};

    use super::*;

    const SECRET: [u8; NODE_KEYS_BYTES] = [5; NODE_KEYS_BYTES];

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn with(files: &[(&str, &[u8])]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            for (name, bytes) in files {
                fs::write(folder.path().join(name), bytes).unwrap();
            }
            Self(folder)
        }

        fn read(&self, passphrase: Option<&[u8]>) -> Result<PeerId, Kind> {
            let home = Home::at(Utf8Path::from_path(self.0.path()).unwrap(), Utf8Path::new("/"));
            let data_key = passphrase.map(|it| data_key(&home, it)).transpose();
            let keys = data_key.and_then(|data_key| read(&home, data_key.as_ref()));
            keys.map(|keys| keys.peer()).map_err(|failure| failure.kind())
        }
    }

    fn peer() -> PeerId {
        NodeKeys::from_bytes(&SECRET).peer()
    }

    #[test]
    fn plain_keys_read_back() {
        let text = document(&SECRET, None, [0; SEAL_ENTROPY_BYTES]);
        assert_eq!(Folder::with(&[("node.key", text.as_bytes())]).read(None), Ok(peer()));
    }

    #[test]
    fn sealed_keys_read_back_with_the_passphrase_alone() {
        let data_key = DataKey::from_entropy([1; 32]);
        let wrapped = data_key.wrap(b"sesame", Cost::RECOMMENDED, [2; WRAP_ENTROPY_BYTES]).unwrap();
        let text = document(&SECRET, Some(&data_key), [3; SEAL_ENTROPY_BYTES]);
        let folder = Folder::with(&[("node.key", text.as_bytes()), ("data.key", &wrapped)]);
        assert_eq!(folder.read(Some(b"sesame")), Ok(peer()));
        assert_eq!(folder.read(Some(b"simsim")), Err(Kind::Refused));
        assert_eq!(folder.read(None), Err(Kind::Refused));
        assert!(!text.contains(&BASE32_NOPAD.encode(&SECRET).to_ascii_lowercase()));
    }

    #[test]
    fn damaged_keys_are_never_taken_for_another_node() {
        let text = document(&SECRET, None, [0; SEAL_ENTROPY_BYTES]);
        let secret = text.find("secret = \"").unwrap() + 10;
        let mut bent = text.as_bytes().to_vec();
        bent[secret] = if bent[secret] == b'a' { b'b' } else { b'a' };
        assert_eq!(Folder::with(&[("node.key", &bent)]).read(None), Err(Kind::Storage));
        let cut = &text.as_bytes()[..text.len() - 5];
        assert_eq!(Folder::with(&[("node.key", cut)]).read(None), Err(Kind::Storage));
        assert_eq!(Folder::with(&[]).read(None), Err(Kind::Storage));
    }
}
