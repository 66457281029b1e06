//! Running the binary in a folder and an environment of its own.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};

use camino::{Utf8Path, Utf8PathBuf};

/// A fresh folder in which the binary runs, with nothing of the tester's environment.
pub(crate) struct Place {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

/// What a run left behind.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    /// The same place with one more environment variable.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8Path::from_path(self.folder.path()).unwrap().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> Utf8PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mangrove"));
        command.current_dir(self.folder.path()).env_clear().env("HOME", self.path("user"));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(std::process::Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        Run::from(self.command().args(args).output().unwrap())
    }

    /// A home at `X`.
    pub(crate) fn init(&self) -> Utf8PathBuf {
        self.run(&["init", "--home", "X"]).succeeded();
        self.path("X")
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            signal: output.status.signal(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Run {
    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", self.stdout, self.stderr);
        assert_eq!(self.stderr, "");
        self
    }

    /// It failed with this code, said so on standard error alone, and within one screen.
    #[track_caller]
    pub(crate) fn failed(self, code: i32, expect: &str) -> Self {
        assert_eq!(self.stderr, expect);
        assert_eq!(self.code, Some(code));
        assert_eq!(self.stdout, "");
        assert!(self.stderr.lines().count() < 24);
        self
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap()
    }

    pub(crate) fn error_kind(&self) -> String {
        self.json().pointer("/error/kind").and_then(|kind| kind.as_str()).unwrap().to_owned()
    }
}

/// Every file below `folder` with its bytes, and every folder, in order.
pub(crate) fn contents(folder: &Utf8Path) -> Vec<(Utf8PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut entries: Vec<_> =
        folder.read_dir_utf8().unwrap().map(|entry| entry.unwrap().into_path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            found.push((path.clone(), Vec::new()));
            found.extend(contents(&path));
        } else {
            found.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    found
}
