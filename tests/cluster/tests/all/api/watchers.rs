//! Those who watch, and their nodes, killed at any moment.

use std::fs::{self, File};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use mangrove_cluster::{Dice, Door, Node, Plan, Port, Rpc, edits, eventually};
use serde_json::{Value, json};

use crate::kills::number;
use crate::place;

/// Lives of those who watch, and of nodes.
const LIVES: u64 = 12;
/// A life is shorter than this.
const LIFE: Duration = Duration::from_millis(900);
const SOON: Duration = Duration::from_secs(60);

/// One that writes down what it hears, and goes on after the last thing that it has written down.
struct Watcher<'a> {
    node: &'a str,
    folder: &'a mangrove_cluster::Place,
    context: &'a str,
    child: Option<Child>,
}

impl Watcher<'_> {
    fn file(&self) -> camino::Utf8PathBuf {
        self.folder.path("heard")
    }

    /// What it has written down. Of a line that it was killed over there is only a part, which does not count.
    fn heard(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.file()).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| text.get(..=end).unwrap());
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[track_caller]
    fn begin(&mut self) {
        let heard = self.heard();
        let whole = heard.iter().map(|item| format!("{item}\n")).collect::<String>();
        fs::write(self.file(), whole).unwrap();
        let after = heard.last().map_or("start", |item| item["cursor"].as_str().unwrap());
        let mut command = self.folder.command();
        command.args(["watch", self.context, "--after", after, "--json", "--home", self.node]);
        let file = File::options().append(true).open(self.file()).unwrap();
        self.child = Some(command.stdout(file).stderr(Stdio::null()).spawn().unwrap());
    }

    #[track_caller]
    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Watcher<'_> {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Writes one number after the other for as long as it goes on, whether the node is there or not. How many were taken.
fn write(door: &Door, context: &str, goes_on: &AtomicBool) -> u64 {
    let (rpc, mut taken) = (Rpc::new(door), 0);
    for number in 0.. {
        if !goes_on.load(Ordering::Relaxed) {
            break;
        }
        match rpc.apply(context, &[edits::put(&format!("k{}", number % 5), number)]) {
            Ok(_) => taken += 1,
            Err(_) => thread::park_timeout(Duration::from_millis(20)),
        }
    }
    taken
}

#[test]
fn who_watches_sees_each_event_once_in_order_however_both_are_killed() {
    let mut dice = Dice::new(number("MANGROVE_KILL_SEED"));
    println!("to repeat: MANGROVE_KILL_SEED={}", dice.seed());
    let folder = place();
    let mut node = Node::start(&folder, Plan::new("node"));
    let context = node.rpc().create("watched").unwrap();
    let mut watcher = Watcher { node: "node", folder: &folder, context: &context, child: None };
    fs::write(watcher.file(), "").unwrap();
    let goes_on = AtomicBool::new(true);
    let door = node.door().clone();
    let (taken, kills) = thread::scope(|scope| {
        let writer = scope.spawn(|| write(&door, &context, &goes_on));
        let mut kills = (0, 0);
        watcher.begin();
        for _ in 0..LIVES {
            thread::park_timeout(dice.while_below(LIFE));
            let (kills_watcher, kills_node) =
                *dice.pick(&[(true, false), (false, true), (true, true)]);
            if kills_node {
                node.kill();
                kills.1 += 1;
            }
            if kills_watcher {
                watcher.kill();
                kills.0 += 1;
            }
            if kills_node {
                node.restart(Port::Same);
            }
            if kills_watcher {
                watcher.begin();
            }
        }
        goes_on.store(false, Ordering::Relaxed);
        (writer.join().unwrap(), kills)
    });
    let all = all(&node.rpc(), &context);
    eventually("all of it heard", SOON, || match watcher.heard().len() {
        heard if heard < all.len() => Err(format!("{heard} of {}", all.len())),
        _ => Ok(()),
    });
    watcher.kill();
    let heard = watcher.heard();
    assert!(kills.0 > 0 && kills.1 > 0 && taken > 100, "{kills:?} kills, {taken} writes");
    assert_eq!(heard.len(), all.len());
    for (heard, stored) in heard.iter().zip(&all) {
        assert_eq!(heard, stored, "each once, in order");
    }
}

/// All that is in the feed.
fn all(rpc: &Rpc, context: &str) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), "start".to_owned());
    loop {
        let params = json!({ "context": context, "after": after, "limit": 500 });
        let page = rpc.call("feed.read", &params).unwrap();
        let events = page["events"].as_array().unwrap();
        if events.is_empty() {
            return all;
        }
        all.extend(events.iter().cloned());
        page["cursor"].as_str().unwrap().clone_into(&mut after);
    }
}
