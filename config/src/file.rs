//! The file `config.toml`: reading it, changing one key in it, replacing it whole.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};

use camino::{Utf8Path, Utf8PathBuf};
use toml_edit::{DocumentMut, TomlError, Value};

use crate::error::{Error, Place, Problem};

/// A configuration file larger than this is something else.
const MAX_BYTES: u64 = 1024 * 1024;

/// A configuration file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where it lies.
    pub path: Utf8PathBuf,
    /// Its text.
    pub text: String,
}

impl Source {
    /// Reads a file; `None` if there is none.
    pub fn read(path: &Utf8Path) -> Result<Option<Self>, Error> {
        let bytes = match read_bounded(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(path, &error).into()),
        };
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(Self { path: path.to_owned(), text })),
            Err(error) => Err(not_utf8(path, &error).into()),
        }
    }

    /// The place of a byte of it.
    pub(crate) fn place(&self, offset: Option<usize>) -> Place {
        let at = offset.and_then(|offset| self.text.get(..offset)).map(line_and_column);
        Place::File { path: self.path.clone(), at }
    }

    pub(crate) fn syntax(&self, error: &TomlError) -> Problem {
        let place = self.place(error.span().map(|span| span.start));
        let what = error.message().trim().replace('\n', "; ");
        Problem::new(place, what)
            .hint("text stands in quotes: name = \"…\"; sections in brackets: [server]")
    }

    /// The same file with `section.key` set, all else as it was, comments included.
    pub fn with(&self, section: &str, key: &str, value: Value) -> Result<Self, Error> {
        let document = self.text.parse::<DocumentMut>();
        let mut document = document.map_err(|error| self.syntax(&error))?;
        let table = document.entry(section).or_insert_with(toml_edit::table);
        let Some(table) = table.as_table_like_mut() else {
            let what = format!("{section}: expected a section");
            return Err(Problem::new(whole(&self.path), what).into());
        };
        match table.get_mut(key).and_then(toml_edit::Item::as_value_mut) {
            Some(present) => {
                let decor = present.decor().clone();
                *present = value;
                *present.decor_mut() = decor;
            }
            None => {
                table.insert(key, toml_edit::value(value));
            }
        }
        Ok(Self { path: self.path.clone(), text: document.to_string() })
    }

    /// Puts this text in the place of the file on disk, whole or not at all. A link is followed
    /// rather than replaced; who may read the file stays as it was, a new one is its owner's alone.
    pub fn replace(&self) -> io::Result<()> {
        let path = self.path.canonicalize_utf8().unwrap_or_else(|_| self.path.clone());
        let mode = fs::metadata(&path).map_or(0o600, |metadata| metadata.permissions().mode());
        let folder = path.parent().unwrap_or_else(|| Utf8Path::new("/"));
        let name = path.file_name().unwrap_or_default();
        let draft = folder.join(format!(".{name}.{}", std::process::id()));
        let written = self.write_draft(&draft, fs::Permissions::from_mode(mode));
        let replaced = written.and_then(|()| fs::rename(&draft, &path));
        if replaced.is_err() {
            // The draft is litter then; that it cannot be removed is not worth a second error.
            fs::remove_file(&draft).ok();
        }
        replaced?;
        fs::File::open(folder)?.sync_all()
    }

    fn write_draft(&self, draft: &Utf8Path, permissions: fs::Permissions) -> io::Result<()> {
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
        file.set_permissions(permissions)?;
        file.write_all(self.text.as_bytes())?;
        file.sync_all()
    }
}

/// Reads a regular file of bearable size: a device has no end, and a pipe may have no beginning.
fn read_bounded(path: &Utf8Path) -> io::Result<Vec<u8>> {
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

fn whole(path: &Utf8Path) -> Place {
    Place::File { path: path.to_owned(), at: None }
}

fn unreadable(path: &Utf8Path, error: &io::Error) -> Problem {
    let problem = Problem::new(whole(path), format!("cannot be read: {error}"));
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            problem.hint("run as the user who owns the home, or let this user read the file")
        }
        io::ErrorKind::IsADirectory => problem.hint("a folder lies where the file should be"),
        io::ErrorKind::FileTooLarge => {
            problem.hint(format!("a configuration has at most {MAX_BYTES} bytes"))
        }
        _ => problem,
    }
}

fn not_utf8(path: &Utf8Path, error: &std::string::FromUtf8Error) -> Problem {
    let good = error.utf8_error().valid_up_to();
    let bytes = error.as_bytes();
    let before = bytes.get(..good).and_then(|before| std::str::from_utf8(before).ok());
    let at = before.map(line_and_column);
    let byte = bytes.get(good).copied().unwrap_or_default();
    let place = Place::File { path: path.to_owned(), at };
    Problem::new(place, format!("byte 0x{byte:02x} is not UTF-8"))
        .hint("save the file as UTF-8; `file` or an editor tells what it is")
}

fn line_and_column(before: &str) -> (usize, usize) {
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |tail| tail.chars().count()) + 1;
    (line, column)
}
