//! The running node of a home, as commands find it.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use mangrove_config::Home;
use mangrove_node::diagnostics::{Answer, AskError, ask};
use mangrove_protocol::id::PeerId;
use rustix::process::{Pid, test_kill_process};
use serde_json::{Value, json};

use crate::exit::Kind;
use crate::failure::Failure;
use crate::home::write_secret;
use crate::session::Session;

/// How long a node is waited for, if nothing else is said.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How often it is looked whether a node has ended.
const LOOK: Duration = Duration::from_millis(10);

/// The file by which a running node is found.
#[derive(Debug)]
pub(crate) struct Announcement(Home);

impl Announcement {
    /// Tells where the node is. It appears whole, in the place of what a killed node has left.
    pub(crate) fn write(home: &Home, api: &str, peer: PeerId) -> Result<Self, Failure> {
        let path = home.node_file();
        let draft = path.with_extension("part");
        let node = json!({ "pid": std::process::id(), "api": api, "peer": peer.to_string() });
        let write = || {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(home.run_folder())?;
            match fs::remove_file(&draft) {
                Err(why) if why.kind() != std::io::ErrorKind::NotFound => return Err(why),
                _ => {}
            }
            write_secret(&draft, format!("{node}\n").as_bytes())?;
            fs::rename(&draft, &path)
        };
        let failed = |why| Failure::new(Kind::Storage, format!("cannot write {path}")).because(why);
        write().map_err(failed)?;
        Ok(Self(home.clone()))
    }

    /// Says no more where the node is.
    pub(crate) fn withdraw(&self) {
        if let Err(why) = fs::remove_file(self.0.node_file()) {
            tracing::warn!(path = %self.0.node_file(), %why, "is left behind");
        }
    }
}

/// The process of the node that runs in a home, if one does.
pub(crate) fn process(home: &Home) -> Option<Pid> {
    let node = fs::read_to_string(home.node_file()).ok()?;
    pid(&serde_json::from_str(&node).ok()?).filter(|pid| is_running(*pid))
}

/// Where the API of the node that runs in a home is, if one does.
pub(crate) fn api(home: &Home) -> Option<String> {
    let node = fs::read_to_string(home.node_file()).ok()?;
    let node = serde_json::from_str::<Value>(&node).ok()?;
    pid(&node).filter(|pid| is_running(*pid))?;
    Some(node.get("api")?.as_str()?.to_owned())
}

/// The process that something tells of itself.
pub(crate) fn pid(told: &Value) -> Option<Pid> {
    Pid::from_raw(i32::try_from(told.get("pid")?.as_i64()?).ok()?)
}

/// Whether there is such a process. One that has ended, and whose parent has not noticed yet, does not run.
fn is_running(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The state stands behind the name, which is in brackets and may hold anything.
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().next());
    test_kill_process(pid).is_ok() && !matches!(state, Some("Z" | "X"))
}

/// Asks the running node by its diagnostics socket.
pub(crate) fn diagnose(session: &Session, line: &str) -> Result<String, Failure> {
    let path = session.home.diagnostics_socket();
    let answer = ask(&path, line, session.timeout.unwrap_or(PATIENCE));
    match answer {
        Ok(Answer::Given(text)) => Ok(text),
        Ok(Answer::Refused(json)) => Err(refused(line, &json)),
        Err(why @ AskError::NotRunning { .. }) => Err(not_running(session, &why)),
        Err(why) => Err(Failure::new(Kind::Busy, "the node gives no answer").because(why)),
    }
}

fn not_running(session: &Session, why: &AskError) -> Failure {
    let root = session.home.root();
    if let Some(pid) = process(&session.home) {
        let what = format!("the node in {root} cannot be asked");
        let failure = Failure::new(Kind::NotReachable, what).because(why);
        let hint =
            format!("is node.diagnostics false? To stop it: kill -TERM {}", pid.as_raw_nonzero());
        return failure.hint(hint);
    }
    let what = format!("no node runs in {root}");
    let failure = Failure::new(Kind::NotReachable, what).because(why);
    failure.hint(format!("start it: mangrove run --home {root}"))
}

fn refused(line: &str, json: &str) -> Failure {
    let error = serde_json::from_str::<Value>(json).unwrap_or_default();
    let field = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
    let kind = match field("kind") {
        "busy" => Kind::Busy,
        "stopping" => Kind::NotReachable,
        _ => Kind::Usage,
    };
    let failure = Failure::new(kind, format!("the node refuses `{line}`"));
    let failure = failure.because(field("message"));
    if field("hint").is_empty() { failure } else { failure.hint(field("hint")) }
}

/// Waits until a process has ended; whether it has, in time.
pub(crate) fn has_ended(pid: Pid, within: Duration) -> bool {
    let end = Instant::now() + within;
    while is_running(pid) {
        if Instant::now() > end {
            return false;
        }
        park_timeout(LOOK);
    }
    true
}
