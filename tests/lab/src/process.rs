//! A child process that talks JSON, a line each.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process, waitid};
use serde_json::Value;

use crate::heard::{End, Heard};
use crate::{Missed, usage};

/// What it has to end in when its input is closed, before it is killed.
const GRACE: Duration = Duration::from_secs(2);
/// What the kernel is given to end it, and its outputs to close after that.
const AFTERMATH: Duration = Duration::from_secs(2);
/// A longer line is taken for several.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// A child process that talks JSON, a line each.
///
/// What it says is listened to all the time. Events wait, up to 65,536 of them, until they are asked
/// for, in any order; when there are more, the process waits. When it is dropped, its input is
/// closed, and it has two seconds to end; then it is killed.
#[derive(Debug)]
pub struct Process {
    name: String,
    pid: Pid,
    child: Child,
    input: Mutex<Option<ChildStdin>>,
    heard: Arc<Heard>,
}

impl Process {
    /// Starts `command`, with pipes to all three of its streams. Messages call it `name`.
    pub fn start(mut command: Command, name: &str) -> io::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let input = Mutex::new(child.stdin.take());
        let (output, errors) = (child.stdout.take(), child.stderr.take());
        let (pid, heard) = (Pid::from_child(&child), Arc::new(Heard::new()));
        let process = Self { name: name.to_owned(), pid, child, input, heard };
        process.attend("end", move |heard| heard.end(watch(pid)))?;
        process.attend("out", move |heard| {
            each_line(output, |line| heard.say(line));
            heard.fall_silent();
        })?;
        process.attend("err", move |heard| {
            each_line(errors, |line| heard.complain(line));
            heard.stop_complaining();
        })?;
        Ok(process)
    }

    /// Writes `message` to its input, as a line.
    ///
    /// Waits when the process reads too little of what it is told, which a stopped one does.
    pub fn tell(&self, message: &Value) -> io::Result<()> {
        let mut input = self.input.lock();
        let closed = || io::Error::new(io::ErrorKind::BrokenPipe, "its input is closed");
        let pipe = input.as_mut().ok_or_else(closed)?;
        pipe.write_all(format!("{message}\n").as_bytes())
    }

    /// Closes its input, by which a process that only answers is told to end.
    pub fn end_input(&self) {
        drop(self.input.lock().take());
    }

    /// The first event that nobody has asked for; none if there is none until `timeout` is over, or
    /// the process has closed its output.
    pub fn next(&self, timeout: Duration) -> Option<Value> {
        self.heard.take(timeout, |_| true)
    }

    /// The first event that is `wanted`; those before it stay and are found by later waits.
    ///
    /// `what` completes the sentence "has not given …". `wanted` must not call this process.
    pub fn wait_for(
        &self,
        what: &str,
        timeout: Duration,
        wanted: impl FnMut(&Value) -> bool,
    ) -> Result<Value, Missed> {
        self.heard.take(timeout, wanted).ok_or_else(|| self.missed(what, timeout))
    }

    /// Waits for its end; returns its exit code, or none if a signal has ended it. What it said by then has been
    /// heard.
    pub fn wait_for_end(&self, timeout: Duration) -> Result<Option<i32>, Missed> {
        let end = self.heard.wait_for_end(timeout);
        if end.is_some() {
            self.heard.wait_for_silence(AFTERMATH);
        }
        Ok(end.ok_or_else(|| self.missed("an end", timeout))?.code)
    }

    /// The events among the last 1,024 lines that it said, asked for or not.
    pub fn seen(&self) -> Vec<Value> {
        let said = self.heard.told().said;
        said.iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The last 1,024 lines that it said, events or not, the oldest first.
    pub fn said(&self) -> Vec<String> {
        self.heard.told().said
    }

    /// The last 200 lines of its standard error, the oldest first.
    pub fn complaints(&self) -> Vec<String> {
        self.heard.told().complaints
    }

    /// Stops it, as `SIGSTOP` does, and returns when it stands still.
    pub fn stop_signal(&self) -> io::Result<()> {
        kill_process(self.pid, Signal::STOP)?;
        // Its end is waited for as well: one that has ended never stops.
        let options = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        wait_without_reaping(self.pid, options)?;
        Ok(())
    }

    /// Lets a stopped one go on, as `SIGCONT` does.
    pub fn continue_signal(&self) -> io::Result<()> {
        Ok(kill_process(self.pid, Signal::CONT)?)
    }

    /// Ends it as nothing can be prepared for, and returns when it has ended.
    ///
    /// What it said before can still be asked for.
    pub fn kill(&self) -> io::Result<()> {
        kill_process(self.pid, Signal::KILL)?;
        let ended = self.heard.wait_for_end(AFTERMATH);
        self.heard.wait_for_silence(AFTERMATH);
        ended.map(|_| ()).ok_or_else(|| io::Error::new(io::ErrorKind::TimedOut, "it does not end"))
    }

    /// Its number. It is not given to another process while this one is not dropped.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The memory that it holds now. Linux only, like the next two.
    pub fn resident_bytes(&self) -> io::Result<u64> {
        usage::resident_bytes(self.pid())
    }

    /// The part of that which is not files, its program among them.
    pub fn own_bytes(&self) -> io::Result<u64> {
        usage::own_bytes(self.pid())
    }

    /// The most memory that it held at once.
    pub fn peak_resident_bytes(&self) -> io::Result<u64> {
        usage::peak_resident_bytes(self.pid())
    }

    /// What all of its threads have computed, for itself and in the kernel.
    pub fn cpu_time(&self) -> io::Result<Duration> {
        usage::cpu_time(self.pid())
    }

    /// Runs `listen` on a thread of its own.
    ///
    /// It ends when the process has, and with it whoever got its streams from it.
    fn attend(&self, role: &str, listen: impl FnOnce(&Heard) + Send + 'static) -> io::Result<()> {
        let heard = Arc::clone(&self.heard);
        let thread = thread::Builder::new().name(format!("{role}-{}", self.name));
        thread.spawn(move || listen(&heard)).map(|_| ())
    }

    fn missed(&self, what: &str, waited: Duration) -> Missed {
        if self.heard.is_silent() {
            // It is ending, and its last words tell why.
            self.heard.wait_for_end(AFTERMATH);
            self.heard.wait_for_silence(AFTERMATH);
        }
        let told = self.heard.told();
        Missed {
            process: self.name.as_str().into(),
            what: what.into(),
            waited,
            ended: told.end.map(|end| end.how.into()),
            waiting: told.waiting,
            said: told.said.into_iter().rev().take(100).rev().collect(),
            complaints: told.complaints,
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _gone = self.continue_signal();
        self.end_input();
        self.heard.close_ears();
        if self.heard.wait_for_end(GRACE).is_none() {
            let _gone = self.kill();
        }
        let _reaped = self.child.wait();
    }
}

/// Hands every line of `stream` on, until it ends or cannot be read.
fn each_line(stream: Option<impl Read>, mut hear: impl FnMut(String)) {
    let Some(stream) = stream else { return };
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    while let Ok(1..) = stream.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line) {
        hear(String::from_utf8_lossy(&line).trim_end().to_owned());
        line.clear();
    }
}

/// Waits for the end of a process, which stays to be reaped: its number is not given away.
fn watch(pid: Pid) -> End {
    let status = wait_without_reaping(pid, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
    let code = status.as_ref().ok().and_then(WaitIdStatus::exit_status);
    let signal = status.as_ref().ok().and_then(WaitIdStatus::terminating_signal);
    let how = match (code, signal) {
        (Some(code), _) => format!("exit code {code}"),
        (_, Some(signal)) => format!("signal {signal}"),
        _ => "nobody knows how".to_owned(),
    };
    End { code, how }
}

fn wait_without_reaping(pid: Pid, options: WaitIdOptions) -> io::Result<WaitIdStatus> {
    loop {
        match waitid(WaitId::Pid(pid), options) {
            Ok(Some(status)) => return Ok(status),
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
