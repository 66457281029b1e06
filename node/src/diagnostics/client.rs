//! Asking a running node, from another process on the same machine.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::command::Answer;
use super::place::with_short;

/// An answer is no longer than this.
const MOST_BYTES: u64 = 64 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// Nobody listens there.
    #[error("no node answers at {path}")]
    NotRunning {
        /// Where it was looked for.
        path: Utf8PathBuf,
    },
    /// Whoever answers does not do it in time, or not as a node does.
    #[error("the node does not answer: {0}")]
    Silent(#[from] io::Error),
}

/// Asks a node a line, and waits for the answer for so long.
pub fn ask(path: &Utf8Path, line: &str, within: Duration) -> Result<Answer, AskError> {
    let connected = with_short(path, |short| UnixStream::connect(short));
    let mut stream = connected.map_err(|_| AskError::NotRunning { path: path.to_owned() })?;
    stream.set_read_timeout(Some(within))?;
    stream.set_write_timeout(Some(within))?;
    writeln!(stream, "{line}")?;
    let mut answer = BufReader::new(stream.take(MOST_BYTES));
    let mut head = String::new();
    answer.read_line(&mut head)?;
    let garbled = || io::Error::other(format!("it says {:?}", head.trim()));
    let (word, length) = head.trim().split_once(' ').ok_or_else(garbled)?;
    let length = length.parse::<u64>().map_err(|_| garbled())?;
    let mut body = String::new();
    answer.take(length).read_to_string(&mut body)?;
    match word {
        "OK" if body.len() as u64 == length => Ok(Answer::Given(body)),
        "ERR" if body.len() as u64 == length => Ok(Answer::Refused(body)),
        _ => Err(AskError::Silent(garbled())),
    }
}
