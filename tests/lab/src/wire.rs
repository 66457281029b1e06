//! A cable between two namespaces.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::Namespace;
use crate::namespace::Host;
use crate::subnet::Subnet;
use crate::tool::Tools;

/// A cable between two namespaces: fast, without loss. It is pulled out when it is dropped.
#[derive(Debug)]
pub struct Wire {
    tools: Arc<Tools>,
    end: Arc<Host>,
    interface: String,
    subnet: Subnet,
}

impl Wire {
    pub(crate) fn new(
        tools: &Arc<Tools>,
        subnet: Subnet,
        a: &Namespace,
        b: &Namespace,
    ) -> io::Result<Self> {
        let interface = subnet.interface('w');
        join(tools, (a.name(), &interface), (b.name(), &interface))?;
        let (tools, end) = (Arc::clone(tools), Arc::clone(a.host()));
        let wire = Self { tools, end, interface, subnet };
        wire.subnet.join(a, &wire.interface)?;
        wire.subnet.join(b, &wire.interface)?;
        Ok(wire)
    }

    /// The address that `namespace` has on it, if it is one of its ends.
    pub fn address_of(&self, namespace: &Namespace) -> Option<Ipv4Addr> {
        self.subnet.address_of(namespace)
    }

    /// Takes the address of `namespace` away and gives it another, which is returned.
    pub fn change_address(&self, namespace: &Namespace) -> io::Result<Ipv4Addr> {
        self.subnet.change_address(namespace)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let line = format!("link delete dev {}", self.interface);
        let _gone = self.tools.change(&self.end.name, &[line]);
    }
}

/// Makes a pair of joined interfaces, each in a namespace; both are given as `(namespace, name)`.
pub(crate) fn join(tools: &Tools, a: (&str, &str), b: (&str, &str)) -> io::Result<()> {
    let line = format!("link add name {} type veth peer name {} netns {}", a.1, b.1, b.0);
    tools.change(a.0, &[line])
}
