//! A network of several namespaces, all of which reach each other.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use crate::subnet::Subnet;
use crate::tool::Tools;
use crate::{Namespace, wire};

/// A network of several namespaces, all of which reach each other. It ends when it is dropped.
#[derive(Debug)]
pub struct Switch {
    tools: Arc<Tools>,
    /// Where the bridge is; members do not see it.
    middle: Namespace,
    ports: AtomicU16,
    subnet: Subnet,
}

impl Switch {
    pub(crate) fn new(
        tools: &Arc<Tools>,
        subnet: Subnet,
        members: &[&Namespace],
    ) -> io::Result<Self> {
        let middle = Namespace::new(tools, "switch")?;
        let lines = [
            // Who listens to which group is not kept track of: everybody gets everything at once.
            "link add name bridge type bridge mcast_snooping 0 forward_delay 0".to_owned(),
            "link set dev bridge addrgenmode none".to_owned(),
            "link set dev bridge up".to_owned(),
        ];
        tools.change(middle.name(), &lines)?;
        let (tools, ports) = (Arc::clone(tools), AtomicU16::new(0));
        let switch = Self { tools, middle, ports, subnet };
        members.iter().try_for_each(|member| switch.join(member))?;
        Ok(switch)
    }

    /// Adds a member, with an address of its own.
    pub fn join(&self, member: &Namespace) -> io::Result<()> {
        let port = format!("port{}", self.ports.fetch_add(1, Ordering::Relaxed));
        let interface = self.subnet.interface('s');
        wire::join(&self.tools, (self.middle.name(), &port), (member.name(), &interface))?;
        let lines = [
            format!("link set dev {port} addrgenmode none"),
            format!("link set dev {port} master bridge up"),
        ];
        self.tools.change(self.middle.name(), &lines)?;
        self.subnet.join(member, &interface)
    }

    /// The address that `namespace` has here, if it is a member.
    pub fn address_of(&self, namespace: &Namespace) -> Option<Ipv4Addr> {
        self.subnet.address_of(namespace)
    }

    /// Takes the address of `namespace` away and gives it another, which is returned.
    pub fn change_address(&self, namespace: &Namespace) -> io::Result<Ipv4Addr> {
        self.subnet.change_address(namespace)
    }
}
