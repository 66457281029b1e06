//! The format of a home: which versions of the program can use it.

use std::fs;
use std::io;

use mangrove_config::Home;
use toml_edit::{DocumentMut, Item};

use crate::exit::Kind;
use crate::failure::Failure;
use crate::version::VERSION;

/// The format that this program makes.
pub(crate) const CURRENT: i64 = 1;

/// `home.toml` of a home made by this program.
pub(super) fn document() -> String {
    format!(
        "# What makes this folder a home of Mangrove. Not for editing.\n\
         format = {CURRENT}\n\
         made_by = \"{VERSION}\"\n"
    )
}

/// Refuses a home that a later version made. Where there is no home, nothing is refused.
pub(crate) fn check(home: &Home) -> Result<(), Failure> {
    let path = home.format_file();
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(Failure::new(Kind::Storage, format!("cannot read {path}")).because(error));
        }
    };
    let damaged = || Failure::new(Kind::Storage, format!("{path} is damaged"));
    let document =
        text.parse::<DocumentMut>().map_err(|error| damaged().because(error.message()))?;
    let format = document.get("format").and_then(Item::as_integer);
    match format.ok_or_else(|| damaged().because("it does not name its format"))? {
        ..=CURRENT => Ok(()),
        newer => {
            let maker = document.get("made_by").and_then(Item::as_str).unwrap_or("a later version");
            let what = format!("the home at {} is too new for this program", home.root());
            Err(Failure::new(Kind::Storage, what)
                .because(format!(
                    "it has format {newer}, made by mangrove {maker}; this is mangrove {VERSION}, \
                     which reads up to format {CURRENT}"
                ))
                .hint("use the newer program, or another home"))
        }
    }
}

/// Refuses a folder that is no home.
pub(crate) fn require(home: &Home) -> Result<(), Failure> {
    if home.format_file().exists() {
        return check(home);
    }
    let root = home.root();
    Err(Failure::new(Kind::NotFound, format!("there is no home at {root}"))
        .hint(format!("make one: mangrove init --home {root}")))
}
