//! A folder in which homes lie and the program is run.

use std::process::{Command, Stdio};
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;
use tempfile::TempDir;

/// A fresh folder in which homes lie and the program is run, with nothing of the tester's environment.
///
/// It is removed when the last of its nodes is gone.
#[derive(Debug, Clone)]
pub struct Place {
    program: Utf8PathBuf,
    folder: Arc<TempDir>,
}

/// What came of running the program.
#[derive(Debug)]
pub struct Run {
    /// Its exit code; none if a signal has ended it.
    pub code: Option<i32>,
    /// What it said.
    pub stdout: String,
    /// What it said beside that.
    pub stderr: String,
}

impl Place {
    /// A place for this program: in tests of this package, `env!("CARGO_BIN_EXE_cluster-node")`.
    pub fn new(program: impl Into<Utf8PathBuf>) -> Self {
        let folder = tempfile::Builder::new().prefix("mangrove-cluster-").tempdir();
        Self { program: program.into(), folder: Arc::new(folder.unwrap()) }
    }

    /// Where something with this name lies.
    pub fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8Path::from_path(self.folder.path()).unwrap().join(name)
    }

    /// The program, about to be run.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(self.folder.path()).env_clear().env("HOME", self.path("user"));
        command.stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, args: &[&str]) -> Run {
        let output = self.command().args(args).output().unwrap();
        Run {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Run {
    /// The same, if it succeeded.
    ///
    /// # Panics
    ///
    /// If not, with what it said.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        let Self { code, stdout, stderr } = &self;
        assert!(*code == Some(0), "it ended with {code:?}\n{stdout}{stderr}");
        self
    }

    /// The document that it printed.
    ///
    /// # Panics
    ///
    /// If it printed anything else.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap()
    }
}
