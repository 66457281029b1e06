//! The programs of `docs/api.md`, run as they are pasted.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use camino::Utf8Path;
use mangrove_cluster::{Node, Plan, Rpc, edits};
use mangrove_lab::Foreign;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::place;

const PAGE: &str = include_str!("../../../../../docs/api.md");
/// What each program says sooner or later, by what stands in it and in no other.
const SAY: [(&str, &[&str]); 6] = [
    ("\"method\": \"state.get\"", &["\"value\":\"red\""]),
    ("export API", &[]),
    ("call state.apply", &["\"seq\":", "\"value\":\"blue\""]),
    ("feed?after=start", &["data:", "\"changes\"", "news-"]),
    ("import asyncio", &["'tulip': 'yellow'", "becomes news-"]),
    ("await fetch", &["lily: white", "becomes news-"]),
];
/// So long a program may say nothing.
const SOON: Duration = Duration::from_secs(30);
/// How often there is news.
const EVERY: Duration = Duration::from_millis(50);

/// The blocks of code of the page, each with its language.
fn blocks() -> Vec<(&'static str, &'static str)> {
    let mut blocks = PAGE.split("\n```").skip(1).step_by(2);
    let block = |block: &'static str| block.split_once('\n').unwrap();
    std::iter::from_fn(|| blocks.next().map(block)).collect()
}

/// What runs a program of this language. Nothing where others have to provide it, and do not.
fn program(language: &str, text: &str, place: &mangrove_cluster::Place) -> Option<Command> {
    let file = place.path(if language == "js" { "program.mjs" } else { "program" });
    fs::write(&file, text).unwrap();
    let found = Foreign::find().unwrap();
    let is_ci = std::env::var_os("CI").is_some();
    assert!(found.is_some() || !is_ci, "in CI Python and Node have to be there");
    let mut command = match language {
        "sh" => Command::new("bash"),
        "python" => found?.python(),
        "js" => found?.node(),
        other => panic!("nothing runs {other}"),
    };
    command.arg(file);
    Some(command)
}

/// A program and all that it has begun, ended when this is dropped.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        let group = Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        // Whoever was waited for has no group any more.
        if let Ok(None) = self.0.try_wait() {
            kill_process_group(group, Signal::KILL).unwrap_or_default();
            self.0.wait().map(drop).unwrap_or_default();
        }
    }
}

/// Runs a program until it has said all of that, and breaks it off then. Without anything to say it is to end well.
fn run(mut command: Command, says: &[&str], errors: &Utf8Path) {
    // A group of its own: what a shell has begun is ended with it.
    command.stdout(Stdio::piped()).process_group(0);
    command.stderr(fs::File::create(errors).unwrap());
    let mut group = Group(command.spawn().unwrap());
    let output = group.0.stdout.take().unwrap();
    let (tell, told) = mpsc::sync_channel(64);
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut lines = BufReader::new(output);
            let mut line = Vec::new();
            while lines.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
                if tell.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    break;
                }
                line.clear();
            }
        });
        let mut heard = String::new();
        while !says.iter().all(|text| heard.contains(text)) {
            match told.recv_timeout(SOON) {
                Ok(line) => heard.push_str(&line),
                Err(_) => break,
            }
        }
        if says.is_empty() {
            assert!(group.0.wait().unwrap().success());
        }
        drop((told, group));
        let why = fs::read_to_string(errors).unwrap();
        for text in says {
            assert!(heard.contains(text), "{command:?} never says {text}:\n{heard}\n{why}");
        }
    });
}

/// Writes over and over again, so that there is something to hear of.
fn write(rpc: &Rpc, context: &str, goes_on: &AtomicBool) {
    for number in 0.. {
        if !goes_on.load(Ordering::Relaxed) {
            return;
        }
        rpc.apply(context, &[edits::put("daisy", format!("news-{number}"))]).unwrap();
        thread::park_timeout(EVERY);
    }
}

/// Ends the news, also when a test fails.
struct News<'a>(&'a AtomicBool);

impl Drop for News<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

#[test]
fn the_programs_of_the_page_do_what_they_say() {
    let place = place();
    let node = Node::start(&place, Plan::new("ada"));
    let (rpc, token) = (node.rpc(), node.token());
    let context = rpc.create("garden").unwrap();
    rpc.apply(&context, &[edits::put("rose", "red")]).unwrap();
    let folder = place.path("user/.local/share/mangrove");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("api.token"), &token).unwrap();
    let goes_on = AtomicBool::new(true);
    thread::scope(|scope| {
        scope.spawn(|| write(&rpc, &context, &goes_on));
        let _news = News(&goes_on);
        let all = blocks();
        assert_eq!(all.len(), SAY.len(), "{all:?}");
        for (language, text) in all {
            let says = SAY.iter().find(|(part, _)| text.contains(part));
            let (_, says) = says.unwrap_or_else(|| panic!("what does this say?\n{text}"));
            let Some(mut command) = program(language, text, &place) else { continue };
            command.env("API", node.api()).env("TOKEN", &token).env("HOME", place.path("user"));
            command.current_dir(place.path(""));
            run(command, says, &place.path("errors"));
        }
    });
}
