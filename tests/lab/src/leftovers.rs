//! Namespaces whose makers are dead.

use std::fs;
use std::process;

use camino::Utf8Path;
use rustix::process::{Pid, Signal, kill_process};

use crate::tool::Tools;

/// What the name of each namespace begins with; the number of the process that made it follows.
pub(crate) const PREFIX: &str = "mgl-";

const NAMESPACES: &str = "/var/run/netns";

/// Removes every namespace of this crate whose maker is dead, with what runs inside.
pub(crate) fn sweep(tools: &Tools) {
    made_by(is_dead).for_each(|name| remove(tools, &name));
}

/// Removes every namespace whose maker had the number of this process, which has made none yet.
pub(crate) fn sweep_namesakes(tools: &Tools) {
    made_by(|pid| pid == process::id()).for_each(|name| remove(tools, &name));
}

/// Removes a namespace and ends what runs inside, as far as they are still there.
pub(crate) fn remove(tools: &Tools, name: &str) {
    let inside = tools.netns(&["pids", name]).unwrap_or_default();
    for pid in inside.lines().filter_map(|line| Pid::from_raw(line.trim().parse().ok()?)) {
        let _gone = kill_process(pid, Signal::KILL);
    }
    let _gone = tools.netns(&["delete", name]);
}

fn made_by(which: impl Fn(u32) -> bool) -> impl Iterator<Item = String> {
    let names = fs::read_dir(NAMESPACES).into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(move |name| maker(name).is_some_and(&which))
}

fn maker(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.split('-').next()?.parse().ok()
}

fn is_dead(pid: u32) -> bool {
    !Utf8Path::new("/proc").join(pid.to_string()).exists()
}

#[cfg(test)]
mod tests {
    use super::maker;

    #[test]
    fn only_own_names_tell_a_maker() {
        let check = |name, expect| assert_eq!(maker(name), expect, "{name}");
        check("mgl-12-0-a-7", Some(12));
        check("mgl-x-0", None);
        check("blue-12-0", None);
    }
}
