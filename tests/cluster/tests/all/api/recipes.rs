//! The programs of `docs/api.md`, run as they are pasted.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

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

/// Runs a program until it has said all of that, and breaks it off then. What it says otherwise is told.
fn run(mut command: Command, says: &[&str]) {
    // A group of its own: what a shell has begun is ended with it.
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let (mut heard, mut line) = (String::new(), Vec::new());
    while !says.iter().all(|text| heard.contains(text)) {
        line.clear();
        if lines.read_until(b'\n', &mut line).unwrap() == 0 {
            break;
        }
        heard.push_str(&String::from_utf8_lossy(&line));
    }
    if says.is_empty() {
        assert!(child.wait().unwrap().success());
    }
    let group = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process_group(group, Signal::KILL).unwrap_or_default();
    let output = child.wait_with_output().unwrap();
    let why = String::from_utf8_lossy(&output.stderr);
    for text in says {
        assert!(heard.contains(text), "{command:?} never says {text}:\n{heard}\n{why}");
    }
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
            run(command, says);
        }
    });
}
