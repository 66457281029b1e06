//! Which namespaces do not hear which others, and the packet filters that see to it.

use std::fmt::Write;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::namespace::Host;
use crate::tool::Tools;

/// Every cut of a lab.
#[derive(Debug)]
pub(crate) struct Cuts {
    tools: Arc<Tools>,
    list: Mutex<Vec<Cut>>,
}

#[derive(Debug)]
struct Cut {
    number: u64,
    walls: Vec<Wall>,
}

/// A filter inside of one namespace, against some others.
#[derive(Clone, Debug)]
pub(crate) struct Wall {
    pub(crate) inside: Arc<Host>,
    pub(crate) against: Vec<Arc<Host>>,
}

impl Cuts {
    pub(crate) fn new(tools: &Arc<Tools>) -> Self {
        Self { tools: Arc::clone(tools), list: Mutex::default() }
    }

    /// Puts up walls, all of them or none; the number takes them down again.
    pub(crate) fn put_up(&self, walls: Vec<Wall>) -> io::Result<u64> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut list = self.list.lock();
        let cut = Cut { number, walls };
        let built = cut.walls.iter().try_for_each(|wall| self.build(number, wall));
        if let Err(error) = built {
            let _incomplete = self.remove(&cut);
            return Err(error);
        }
        list.push(cut);
        Ok(number)
    }

    /// Takes the walls of a number down, if they still stand.
    pub(crate) fn take_down(&self, number: u64) -> io::Result<()> {
        let mut list = self.list.lock();
        let found = list.iter().position(|cut| cut.number == number);
        let Some(at) = found else { return Ok(()) };
        self.remove(&list.swap_remove(at))
    }

    /// Makes the walls against `host` hold against the addresses that it has by now.
    pub(crate) fn extend_to(&self, host: &Arc<Host>) -> io::Result<()> {
        let list = self.list.lock();
        let walls = list.iter().flat_map(|cut| cut.walls.iter().map(|it| (cut.number, it)));
        let concerns = |wall: &Wall| wall.against.iter().any(|it| Arc::ptr_eq(it, host));
        let mut concerned = walls.filter(|(_, wall)| concerns(wall));
        concerned.try_for_each(|(number, wall)| self.build(number, wall))
    }

    fn build(&self, number: u64, wall: &Wall) -> io::Result<()> {
        if wall.inside.is_gone() {
            return Ok(());
        }
        self.tools.filter(&wall.inside.name, &rules(number, wall))
    }

    /// Removes what can be removed; returns the first error.
    fn remove(&self, cut: &Cut) -> io::Result<()> {
        let standing = cut.walls.iter().filter(|wall| !wall.inside.is_gone());
        let emptied = format!("{}delete table {}\n", declared(cut.number), table(cut.number));
        let removed = standing.map(|wall| self.tools.filter(&wall.inside.name, &emptied));
        removed.fold(Ok(()), io::Result::and)
    }
}

/// The rules that replace those of the same number.
///
/// Only what comes in is dropped: whoever sends is not told, as with a line that was cut.
fn rules(number: u64, wall: &Wall) -> String {
    let table = table(number);
    let mut rules = format!("{}delete table {table}\n", declared(number));
    let against = wall.against.iter().flat_map(|host| host.addresses());
    let drops = against.fold(String::new(), |mut drops, address| {
        // Writing to a string does not fail.
        let _written = writeln!(drops, "ip saddr {address} drop");
        drops
    });
    let hook = "type filter hook prerouting priority -300; policy accept;";
    rules.push_str(&format!("table {table} {{\nchain incoming {{\n{hook}\n{drops}}}\n}}\n"));
    rules
}

/// Makes sure that there is a table to delete.
fn declared(number: u64) -> String {
    format!("table {}\n", table(number))
}

fn table(number: u64) -> String {
    format!("ip lab{number}")
}
