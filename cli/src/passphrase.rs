//! The passphrase of an encrypted home, from wherever the user keeps it.

use std::fs;
use std::io::{self, IsTerminal, Read};

use camino::{Utf8Path, Utf8PathBuf};
use zeroize::Zeroizing;

use crate::exit::Kind;
use crate::failure::Failure;
use crate::session::Session;

/// A passphrase longer than this is some other file.
const MAX_BYTES: usize = 4096;

/// A passphrase; wiped from memory when dropped.
pub(crate) type Passphrase = Zeroizing<Vec<u8>>;

/// The passphrase of a home that is being made: asked for twice if it is asked for at all.
pub(crate) fn choose(session: &Session) -> Result<Passphrase, Failure> {
    if let Some(path) = file(session)? {
        return read(&path);
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::new(Kind::Usage, "an encrypted home needs a passphrase")
            .because("standard input is no terminal, so it cannot be asked for")
            .hint("name a file that holds it: --passphrase-file F, or MANGROVE_PASSPHRASE_FILE"));
    }
    let first = ask("Passphrase for the new home: ")?;
    if ask("The same again: ")? != first {
        return Err(Failure::new(Kind::Usage, "the two passphrases differ").hint("try again"));
    }
    accept(first, "the terminal")
}

/// The passphrase of a home that there is.
pub(crate) fn existing(session: &Session) -> Result<Passphrase, Failure> {
    if let Some(path) = file(session)? {
        return read(&path);
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::new(Kind::Refused, "the home is encrypted")
            .because("standard input is no terminal, so its passphrase cannot be asked for")
            .hint("name a file that holds it: --passphrase-file F, or MANGROVE_PASSPHRASE_FILE"));
    }
    accept(ask("Passphrase of the home: ")?, "the terminal")
}

/// The file that holds the passphrase, if one is named.
fn file(session: &Session) -> Result<Option<Utf8PathBuf>, Failure> {
    let variable = |name: &str| {
        session.environment.get(name).map_err(|problem| Failure::config(&problem.into()))
    };
    if let Some(path) = &session.passphrase_file {
        return Ok(Some(path.clone()));
    }
    if let Some(path) = variable("MANGROVE_PASSPHRASE_FILE")? {
        return Ok(Some(path.into()));
    }
    let credentials = variable("CREDENTIALS_DIRECTORY")?.map(Utf8Path::new);
    let credential = credentials.map(|folder| folder.join("mangrove-passphrase"));
    Ok(credential.filter(|path| path.exists()))
}

fn read(path: &Utf8Path) -> Result<Passphrase, Failure> {
    let mut passphrase = Zeroizing::new(Vec::with_capacity(MAX_BYTES + 2));
    let limit = u64::try_from(MAX_BYTES + 2).unwrap_or(u64::MAX);
    let opened = fs::File::open(path);
    let read = opened.and_then(|file| file.take(limit).read_to_end(&mut passphrase));
    read.map_err(|error| {
        let failure =
            Failure::new(Kind::NotFound, format!("cannot read the passphrase from {path}"));
        failure.because(error)
    })?;
    for end in [b'\n', b'\r'] {
        if passphrase.last() == Some(&end) {
            passphrase.pop();
        }
    }
    accept(passphrase, path.as_str())
}

fn ask(prompt: &str) -> Result<Passphrase, Failure> {
    let typed = rpassword::prompt_password(prompt);
    let typed = typed.map_err(|error| {
        Failure::new(Kind::Internal, "cannot ask for the passphrase").because(error)
    })?;
    Ok(Zeroizing::new(typed.into_bytes()))
}

fn accept(passphrase: Passphrase, from: &str) -> Result<Passphrase, Failure> {
    let what = match passphrase.len() {
        0 => format!("the passphrase from {from} is empty"),
        1..=MAX_BYTES => return Ok(passphrase),
        _ => format!("the passphrase from {from} is longer than {MAX_BYTES} bytes"),
    };
    Err(Failure::new(Kind::Usage, what).hint("choose a phrase that only you know"))
}
