//! A node: a process with a home of its own.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::Duration;

use camino::Utf8PathBuf;
use data_encoding::BASE32_NOPAD;
use mangrove_lab::Process;
use mangrove_protocol::keys::NodeKeys;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::door::{Access, Door};
use crate::place::{Place, Run};
use crate::rpc::Rpc;

/// How long it may take to start, and to end.
const SOON: Duration = Duration::from_secs(60);
/// Lives of which is told when a test fails.
const LIVES: usize = 3;

/// How a node is to be run.
#[derive(Debug, Clone)]
pub struct Plan {
    name: String,
    args: Vec<String>,
    variables: Vec<(String, String)>,
}

impl Plan {
    /// A node of this name, in a home of the same name, made for tests: in a hurry to meet its peers, and
    /// looking for none by itself.
    pub fn new(name: &str) -> Self {
        let plan = Self { name: name.to_owned(), args: Vec::new(), variables: Vec::new() };
        plan.set("network.profile", "test")
    }

    /// With this setting.
    #[must_use]
    pub fn set(self, key: &str, value: &str) -> Self {
        self.arg("--set").arg(&format!("{key}={value}"))
    }

    /// With this argument to `mangrove run`.
    #[must_use]
    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    /// With this environment variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With these failpoints from the start.
    #[must_use]
    pub fn failing(self, specs: &str) -> Self {
        self.with("MANGROVE_FAILPOINTS", specs)
    }
}

/// Where peers find a node that is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// Where it was.
    Same,
    /// Elsewhere.
    Fresh,
}

/// A node: a process with a home of its own, which outlives it.
///
/// When it is dropped it is killed; when it is dropped because a test fails, what it logged is printed.
#[derive(Debug)]
pub struct Node {
    place: Place,
    plan: Plan,
    door: Door,
    process: Option<Process>,
    /// What it said when it was ready last.
    ready: Ready,
    /// What its lives before this one logged, the oldest first.
    logs: Vec<Vec<String>>,
}

/// What a node says once it serves.
#[derive(Debug, Clone, Default)]
struct Ready {
    api: String,
    peer: String,
    addresses: Vec<String>,
}

/// Any free port, on this machine alone, and of an address that only this process uses: who is run again listens where it
/// did before, and nobody else takes that port meanwhile.
fn anywhere() -> String {
    let [high, middle, low] = [16, 8, 0].map(|shift| (std::process::id() >> shift) & 255);
    format!("/ip4/127.{}.{middle}.{low}/tcp/0", high % 127 + 128)
}

impl Node {
    /// Runs a node in its home, which is made if there is none, and waits until it serves.
    #[track_caller]
    pub fn start(place: &Place, plan: Plan) -> Self {
        let (place, door, ready) = (place.clone(), Door::default(), Ready::default());
        let mut node = Self { place, plan, door, process: None, ready, logs: Vec::new() };
        node.run(&anywhere());
        node
    }

    /// Runs it again in the same home, after it has ended, and waits until it serves.
    #[track_caller]
    pub fn restart(&mut self, port: Port) {
        assert!(self.process.is_none(), "{} has not ended", self.name());
        let listen = match port {
            Port::Fresh => anywhere(),
            Port::Same => self.address().split("/p2p/").next().unwrap().to_owned(),
        };
        self.run(&listen);
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.plan.name
    }

    /// Its home.
    pub fn home(&self) -> Utf8PathBuf {
        self.place.path(self.name())
    }

    /// Who it is.
    pub fn peer(&self) -> &str {
        &self.ready.peer
    }

    /// Where peers reach it, or did when it ran last: a multiaddress with its peer id.
    #[track_caller]
    pub fn address(&self) -> &str {
        self.ready.addresses.first().unwrap()
    }

    /// Where peers reach it, as a socket address.
    #[track_caller]
    pub fn socket(&self) -> SocketAddr {
        let part = |at| self.address().split('/').nth(at).unwrap();
        let (host, port) = (part(2).parse::<IpAddr>(), part(4).parse::<u16>());
        (host.unwrap(), port.unwrap()).into()
    }

    /// Where its API is, or was when it ran last: a URL.
    pub fn api(&self) -> &str {
        &self.ready.api
    }

    /// What opens its API.
    #[track_caller]
    pub fn token(&self) -> String {
        fs::read_to_string(self.home().join("api.token")).unwrap().trim().to_owned()
    }

    /// Its keys, which lie in its home, if that is not encrypted.
    #[track_caller]
    pub fn keys(&self) -> NodeKeys {
        let text = fs::read_to_string(self.home().join("node.key")).unwrap();
        let secret = text.lines().find_map(|line| line.strip_prefix("secret = \"")).unwrap();
        let secret = secret.trim_end_matches('"').to_ascii_uppercase();
        let secret = BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
        NodeKeys::from_bytes(secret.as_slice().try_into().unwrap())
    }

    /// Where its API is found, also after it was started again.
    pub const fn door(&self) -> &Door {
        &self.door
    }

    /// A caller of it.
    pub fn rpc(&self) -> Rpc {
        Rpc::new(&self.door)
    }

    /// Kills it, as nothing can be prepared for.
    #[track_caller]
    pub fn kill(&mut self) {
        self.door.close();
        self.process().kill().unwrap();
        self.bury();
    }

    /// Ends it in good order; its exit code, or none if a signal has ended it after all.
    #[track_caller]
    pub fn stop(&mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.wait_for_end()
    }

    /// Sends it a signal, and does not wait for what comes of it.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.process().pid()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Waits until it has ended; its exit code, or none if a signal has ended it.
    #[track_caller]
    pub fn wait_for_end(&mut self) -> Option<i32> {
        let code = self.process().wait_for_end(SOON).unwrap();
        self.bury();
        code
    }

    /// Holds it: it stands still, its connections stay, and nobody is answered.
    #[track_caller]
    pub fn pause(&self) {
        self.process().stop_signal().unwrap();
    }

    /// Lets one go on that was held.
    #[track_caller]
    pub fn resume(&self) {
        self.process().continue_signal().unwrap();
    }

    /// Sets a failpoint while it runs. If that one ends it at once, there need not be an answer.
    #[track_caller]
    pub fn fail_at(&self, spec: &str) {
        let run = self.command(&["diag", "failpoint", spec]);
        let has_ended = || self.process().wait_for_end(Duration::from_secs(5)).is_ok();
        assert!(run.code == Some(0) || has_ended(), "{}", run.stderr);
    }

    /// Runs a command of the program on its home.
    pub fn command(&self, args: &[&str]) -> Run {
        self.place.run(&[args, &["--home", self.name()]].concat())
    }

    /// What `mangrove diag` says of it.
    #[track_caller]
    pub fn diag(&self, what: &str) -> Value {
        self.command(&["diag", what, "--json"]).succeeded().json()
    }

    /// The memory that it holds now.
    #[track_caller]
    pub fn resident_bytes(&self) -> u64 {
        self.process().resident_bytes().unwrap()
    }

    /// What it has computed since it was started.
    #[track_caller]
    pub fn cpu_time(&self) -> Duration {
        self.process().cpu_time().unwrap()
    }

    /// The last lines of its log, since it was started.
    pub fn log(&self) -> Vec<String> {
        self.process.as_ref().map(Process::complaints).unwrap_or_default()
    }

    #[track_caller]
    fn process(&self) -> &Process {
        self.process.as_ref().unwrap_or_else(|| panic!("{} does not run", self.name()))
    }

    #[track_caller]
    fn run(&mut self, listen: &str) {
        let mut command = self.place.command();
        command.args(["run", "--json", "--api", "127.0.0.1:0", "--listen", listen, "--home"]);
        command.arg(&self.plan.name).args(&self.plan.args);
        command.envs(self.plan.variables.iter().map(|(name, value)| (name, value)));
        let process = Process::start(command, &self.plan.name).unwrap();
        let is_ready = |event: &Value| event.get("event") == Some(&"ready".into());
        let ready = process.wait_for("that it is ready", SOON, is_ready).unwrap();
        self.ready = Ready::read(&ready);
        self.process = Some(process);
        let address = self.ready.api.strip_prefix("http://").unwrap().parse().unwrap();
        self.door.open(Access { address, token: self.token() });
    }

    /// Keeps the log of one that has ended.
    fn bury(&mut self) {
        self.door.close();
        let log = self.log();
        self.process = None;
        self.logs.push(log);
        if self.logs.len() >= LIVES {
            self.logs.remove(0);
        }
    }
}

impl Ready {
    fn read(event: &Value) -> Self {
        let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap().to_owned();
        let addresses = event.get("addresses").and_then(Value::as_array).unwrap().iter();
        let addresses = addresses.map(|it| it.as_str().unwrap().to_owned()).collect();
        Self { api: text("api"), peer: text("peer"), addresses }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(process) = &self.process {
            // It has ended already, or does now.
            process.kill().unwrap_or_default();
        }
        if !thread::panicking() {
            return;
        }
        let logs = self.logs.iter().cloned().chain([self.log()]).filter(|log| !log.is_empty());
        for log in logs {
            eprintln!("--- the log of {}, last {} lines", self.name(), log.len());
            log.iter().for_each(|line| eprintln!("    {line}"));
        }
    }
}
