//! A network of its own: what runs inside sees nothing but what it was connected to.

use std::collections::BTreeSet;
use std::io;
use std::net::Ipv4Addr;
use std::process::{self, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use parking_lot::Mutex;

use crate::leftovers;
use crate::tool::Tools;

/// Characters of a label that become part of a name.
const LABEL: usize = 24;

/// A network of its own; what runs inside sees its loopback and what it was connected to.
///
/// When it is dropped, what still runs inside is killed, and it is removed with its interfaces.
#[derive(Debug)]
pub struct Namespace {
    host: Arc<Host>,
    tools: Arc<Tools>,
}

/// What is known of a namespace, also after it was removed.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) name: String,
    addresses: Mutex<BTreeSet<Ipv4Addr>>,
    gone: AtomicBool,
}

impl Namespace {
    pub(crate) fn new(tools: &Arc<Tools>, label: &str) -> io::Result<Self> {
        let name = name(label);
        tools.netns(&["add", &name])?;
        let (addresses, gone) = (Mutex::default(), AtomicBool::new(false));
        let host = Arc::new(Host { name, addresses, gone });
        let namespace = Self { host, tools: Arc::clone(tools) };
        tools.change(namespace.name(), &["link set dev lo up".to_owned()])?;
        Ok(namespace)
    }

    /// The name that `ip netns` knows it by.
    pub fn name(&self) -> &str {
        &self.host.name
    }

    /// A command that runs `program` inside. Its process is the program's own, nothing is between.
    pub fn command(&self, program: &str) -> Command {
        self.tools.inside(self.name(), program.as_ref())
    }

    /// `command`, but inside: with its arguments, its folder and what it changes of the environment.
    pub fn within(&self, command: &Command) -> Command {
        let mut inside = self.tools.inside(self.name(), command.get_program());
        inside.args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            inside.current_dir(folder);
        }
        inside
    }

    /// Its addresses in all networks of the lab, in the order of numbers.
    pub fn addresses(&self) -> Vec<Ipv4Addr> {
        self.host.addresses()
    }

    pub(crate) fn host(&self) -> &Arc<Host> {
        &self.host
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.host.gone.store(true, Ordering::Release);
        leftovers::remove(&self.tools, &self.host.name);
    }
}

impl Host {
    pub(crate) fn addresses(&self) -> Vec<Ipv4Addr> {
        self.addresses.lock().iter().copied().collect()
    }

    pub(crate) fn add(&self, address: Ipv4Addr) {
        self.addresses.lock().insert(address);
    }

    pub(crate) fn remove(&self, address: Ipv4Addr) {
        self.addresses.lock().remove(&address);
    }

    /// Whether the namespace was removed.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }
}

/// A name that no other namespace has, as long as this process lives.
fn name(label: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let label: String = label.chars().filter(plain).take(LABEL).collect();
    format!("{}{}-{number}-{label}", leftovers::PREFIX, process::id())
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn no_two_names_are_equal_and_none_has_room_for_surprises() {
        assert_ne!(name("a"), name("a"));
        assert!(name("../a b").ends_with("-ab"));
    }
}
