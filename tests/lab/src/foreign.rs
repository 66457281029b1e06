//! Peers and clients that somebody else has written, in other languages.

use std::io;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use camino::Utf8Path;

use crate::notice;

/// Where the script is that provides them, from the root of the repository.
const SCRIPT: &str = ".ci/foreign";
/// What the script ends with where they are not to be had.
const UNAVAILABLE: i32 = 3;

/// What somebody else has written: the peers js-libp2p and py-libp2p, and clients of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    js: Vec<String>,
    py: Vec<String>,
    js_client: Vec<String>,
    py_client: Vec<String>,
}

impl Foreign {
    /// What `.ci/foreign` provides; it is run once.
    ///
    /// None where it says that they are not to be had, or there is no such script; a line on the
    /// standard error tells. Any other failure of it is an error, lest tests skip what is broken.
    pub fn find() -> io::Result<Option<&'static Self>> {
        static FOUND: OnceLock<Result<Option<Foreign>, String>> = OnceLock::new();
        let found = FOUND.get_or_init(|| look().map_err(|error| error.to_string()));
        match found {
            Ok(Some(foreign)) => Ok(Some(foreign)),
            Ok(None) => {
                notice::skipped("foreign peer", "the script has none", "what the script asks for");
                Ok(None)
            }
            Err(error) => Err(io::Error::other(error.as_str())),
        }
    }

    /// Starts the peer that is written in JavaScript.
    pub fn js(&self) -> Command {
        command(&self.js)
    }

    /// Starts the peer that is written in Python.
    pub fn py(&self) -> Command {
        command(&self.py)
    }

    /// Starts the clients that are written in JavaScript.
    pub fn js_client(&self) -> Command {
        command(&self.js_client)
    }

    /// Starts the clients that are written in Python.
    pub fn py_client(&self) -> Command {
        command(&self.py_client)
    }

    /// The Node that they run in, and nothing to run yet.
    pub fn node(&self) -> Command {
        command(self.js.get(..1).unwrap_or_default())
    }

    /// The Python that they run in, with the packages that they need, and nothing to run yet.
    pub fn python(&self) -> Command {
        command(self.py.get(..1).unwrap_or_default())
    }

    fn parse(answer: &str) -> Option<Self> {
        let words = |language: &str| {
            let lines = answer.lines().filter_map(|line| line.split_once(' '));
            let (_, line) = lines.into_iter().find(|(name, _)| *name == language)?;
            let words = line.split_whitespace().map(str::to_owned);
            Some(words.collect::<Vec<_>>()).filter(|words| !words.is_empty())
        };
        let (js_client, py_client) = (words("js-client")?, words("py-client")?);
        Some(Self { js: words("js")?, py: words("py")?, js_client, py_client })
    }
}

fn look() -> io::Result<Option<Foreign>> {
    // Asked for when it runs as well: checkouts that share a target folder may share what was built.
    let here = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let places = [here.as_str(), env!("CARGO_MANIFEST_DIR")];
    let folders = places.iter().flat_map(|place| Utf8Path::new(place).ancestors());
    let mut scripts = folders.map(|folder| folder.join(SCRIPT));
    scripts.find(|script| script.exists()).map_or(Ok(None), |script| ask(&mut Command::new(script)))
}

fn ask(script: &mut Command) -> io::Result<Option<Foreign>> {
    let output = script.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    let answer = String::from_utf8_lossy(&output.stdout);
    match output.status.code() {
        Some(0) => Foreign::parse(&answer).map(Some).ok_or_else(|| {
            io::Error::other(format!("{script:?} gave not all of its lines: {answer:?}"))
        }),
        Some(UNAVAILABLE) => Ok(None),
        _ => Err(io::Error::other(format!("{script:?} failed: {}", output.status))),
    }
}

fn command(words: &[String]) -> Command {
    let mut words = words.iter();
    let mut command = Command::new(words.next().map_or("", String::as_str));
    command.args(words);
    command
}

#[cfg(test)]
mod tests {
    use super::{Foreign, ask};
    use std::process::Command;

    fn answer(script: &str) -> Result<Option<Foreign>, String> {
        ask(Command::new("sh").args(["-c", script])).map_err(|error| error.to_string())
    }

    #[test]
    fn the_lines_become_commands() {
        let clients = "echo js-client node c.js; echo py-client python3 d.py";
        let found = answer(&format!("{clients}; echo js node a.js; echo py python3 -u b.py"));
        let found = found.unwrap().unwrap();
        assert_eq!(found.js_client().get_args().collect::<Vec<_>>(), ["c.js"]);
        assert_eq!(found.js().get_program(), "node");
        assert_eq!(found.py().get_args().collect::<Vec<_>>(), ["-u", "b.py"]);
    }

    #[test]
    fn only_three_means_that_there_are_none() {
        assert_eq!(answer("exit 3"), Ok(None));
        assert!(answer("exit 1").unwrap_err().contains("failed"));
        assert!(answer("echo js").unwrap_err().contains("gave not all"));
    }
}
