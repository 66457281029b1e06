//! A node that runs as a process, and commands that ask it.

#![expect(clippy::indexing_slicing, reason = "in a test, a panic is the report")]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use mangrove_lab::Process;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::run::{Place, Run};

pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A node that runs in the home `X` of a place.
pub(crate) struct Running<'a> {
    place: &'a Place,
    pub(crate) process: Process,
    pub(crate) ready: Value,
}

impl<'a> Running<'a> {
    /// Starts it on free ports, and waits until it serves.
    pub(crate) fn start(place: &'a Place, args: &[&str]) -> Self {
        let process = begin(place, args);
        let ready = process.wait_for("that it is ready", SOON, |it| it["event"] == "ready");
        Self { place, ready: ready.unwrap(), process }
    }

    pub(crate) fn api(&self) -> &str {
        self.ready["api"].as_str().unwrap()
    }

    pub(crate) fn home(&self) -> camino::Utf8PathBuf {
        self.place.path("X")
    }

    pub(crate) fn token(&self) -> String {
        fs::read_to_string(self.home().join("api.token")).unwrap().trim().to_owned()
    }

    /// Asks by HTTP; the status, and the body.
    pub(crate) fn get(&self, path: &str, token: Option<&str>) -> (u16, String) {
        let mut stream = self.connect();
        let token = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        let token = token.unwrap_or_default();
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{token}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1.to_owned();
        (status, body)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.api().strip_prefix("http://").unwrap()).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.process.pid()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Its exit code, and how long it took to it.
    pub(crate) fn end(&self) -> (Option<i32>, Duration) {
        let began = Instant::now();
        let code = self.process.wait_for_end(SOON).unwrap();
        (code, began.elapsed())
    }

    pub(crate) fn logged(&self, text: &str) -> bool {
        self.process.complaints().iter().any(|line| line.contains(text))
    }

    pub(crate) fn diag(&self, args: &[&str]) -> Value {
        self.json(&[&["diag"], args].concat())
    }

    /// Runs a command for it.
    pub(crate) fn run(&self, args: &[&str]) -> Run {
        self.place.run(&[args, &["--home", "X"]].concat())
    }

    /// What a command prints for a person.
    #[track_caller]
    pub(crate) fn text(&self, args: &[&str]) -> String {
        self.run(args).succeeded().stdout
    }

    /// What a command prints for a program.
    #[track_caller]
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        self.run(&[args, &["--json"]].concat()).succeeded().json()
    }

    /// Why a command fails, and the code with which it does.
    #[track_caller]
    pub(crate) fn refuses(&self, args: &[&str]) -> (Option<i32>, String) {
        let run = self.run(&[args, &["--json"]].concat());
        assert_eq!(run.stderr, "", "{args:?}");
        (run.code, run.error_kind())
    }
}

/// Begins to run a node in the home `X` of a place, on free ports.
pub(crate) fn begin(place: &Place, args: &[&str]) -> Process {
    let mut command = place.command();
    command.args(["run", "--home", "X", "--json", "--no-mdns", "--api", "127.0.0.1:0"]);
    if !args.contains(&"--listen") {
        command.args(["--listen", "/ip4/127.0.0.1/tcp/0"]);
    }
    Process::start(
        {
            command.args(args);
            command
        },
        "node",
    )
    .unwrap()
}

/// Looks again until it is so.
#[track_caller]
pub(crate) fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < SOON, "{what}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}
