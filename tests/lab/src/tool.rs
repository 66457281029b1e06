//! The commands of the system that make networks.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::process::{Command, Stdio};

/// Where administrators' commands are if the search path does not lead there.
const FOLDERS: [&str; 3] = ["", "/usr/sbin/", "/sbin/"];

/// The commands of the system that make networks.
#[derive(Debug)]
pub(crate) struct Tools {
    ip: String,
    nft: String,
}

impl Tools {
    /// Finds them, or names one that is missing.
    pub(crate) fn find() -> Result<Self, String> {
        Ok(Self { ip: find("ip", "-V")?, nft: find("nft", "--version")? })
    }

    /// A command that runs `program` inside of a namespace.
    pub(crate) fn inside(&self, namespace: &str, program: &OsStr) -> Command {
        let mut command = Command::new(&self.ip);
        command.args(["netns", "exec", namespace]).arg(program);
        command
    }

    /// Makes, lists or removes namespaces.
    pub(crate) fn netns(&self, arguments: &[&str]) -> io::Result<String> {
        let mut command = Command::new(&self.ip);
        run(command.arg("netns").args(arguments), "")
    }

    /// Changes the interfaces of a namespace, a command a line.
    pub(crate) fn change(&self, namespace: &str, lines: &[String]) -> io::Result<()> {
        let mut command = Command::new(&self.ip);
        command.args(["-n", namespace, "-batch", "-"]);
        run(&mut command, &format!("{}\n", lines.join("\n"))).map(|_| ())
    }

    /// Changes the packet filter of a namespace, all at once or not at all.
    pub(crate) fn filter(&self, namespace: &str, rules: &str) -> io::Result<()> {
        run(self.inside(namespace, self.nft.as_ref()).args(["-f", "-"]), rules).map(|_| ())
    }
}

/// Where `name` is, if it answers to `question`.
pub(crate) fn find(name: &str, question: &str) -> Result<String, String> {
    let paths = FOLDERS.iter().map(|folder| format!("{folder}{name}"));
    let answers = |path: &String| {
        let asked = Command::new(path).arg(question).stdin(Stdio::null()).output();
        asked.is_ok_and(|answer| answer.status.success())
    };
    paths.into_iter().find(answers).ok_or_else(|| format!("there is no `{name}` command"))
}

/// Runs `command` to its end; returns what it wrote, or its complaint as an error.
fn run(command: &mut Command, input: &str) -> io::Result<String> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    // One that does not read to the end says why.
    let _unread = child.stdin.take().map(|mut pipe| pipe.write_all(input.as_bytes()));
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{command:?} failed: {}{input}", complaint.trim_end())))
}
