//! The addresses of one network of a lab, and who has them.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use parking_lot::Mutex;

use crate::Namespace;
use crate::cuts::Cuts;
use crate::namespace::Host;
use crate::tool::Tools;

/// Values of the second and of the third number of `10.x.y.0/24` that are in use.
const SPAN: u16 = 250;

/// The addresses of one network of a lab: `10.x.y.0/24`, which no other network of the process has.
#[derive(Debug)]
pub(crate) struct Subnet {
    number: u16,
    tools: Arc<Tools>,
    cuts: Arc<Cuts>,
    members: Mutex<Members>,
}

#[derive(Debug, Default)]
struct Members {
    /// How many addresses were given out; none is given twice.
    given: u8,
    list: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    host: Arc<Host>,
    interface: String,
    address: Ipv4Addr,
}

impl Subnet {
    pub(crate) fn new(tools: &Arc<Tools>, cuts: &Arc<Cuts>) -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed) % (SPAN * SPAN);
        let (tools, cuts) = (Arc::clone(tools), Arc::clone(cuts));
        Self { number, tools, cuts, members: Mutex::default() }
    }

    /// A name for an interface in this network, which begins with `kind`.
    pub(crate) fn interface(&self, kind: char) -> String {
        format!("{kind}{}", self.number)
    }

    /// Gives an address to an interface of `namespace`, and puts it up.
    pub(crate) fn join(&self, namespace: &Namespace, interface: &str) -> io::Result<()> {
        let mut members = self.members.lock();
        let address = members.next_address(self.number)?;
        let host = Arc::clone(namespace.host());
        let member = Member { host, interface: interface.to_owned(), address };
        self.announce(&member)?;
        members.list.push(member);
        let lines = [
            // Only addresses that a partition knows may be reached, so there are none of IPv6.
            format!("link set dev {interface} addrgenmode none"),
            format!("address add {address}/24 brd + dev {interface}"),
            // A link is read by a process that has to wait for its turn; a burst waits with it.
            format!("link set dev {interface} txqueuelen 5000 up"),
            self.multicast_route(interface),
        ];
        self.tools.change(namespace.name(), &lines)
    }

    /// The address that `namespace` has here, if it is a member.
    pub(crate) fn address_of(&self, namespace: &Namespace) -> Option<Ipv4Addr> {
        let members = self.members.lock();
        members.position(namespace).and_then(|at| members.list.get(at)).map(|it| it.address)
    }

    /// Takes the address of `namespace` away and gives it another, which is returned.
    pub(crate) fn change_address(&self, namespace: &Namespace) -> io::Result<Ipv4Addr> {
        let mut members = self.members.lock();
        let at = members.position(namespace).ok_or_else(|| stranger(namespace))?;
        let address = members.next_address(self.number)?;
        let member = members.list.get_mut(at).ok_or_else(|| stranger(namespace))?;
        let before = std::mem::replace(&mut member.address, address);
        self.announce(member)?;
        let interface = &member.interface;
        let lines = [
            format!("address delete {before}/24 dev {interface}"),
            format!("address add {address}/24 brd + dev {interface}"),
            // The kernel forgets the routes of an interface with its last address.
            self.multicast_route(interface),
        ];
        self.tools.change(namespace.name(), &lines)?;
        member.host.remove(before);
        Ok(address)
    }

    /// Lets every partition know of an address before anybody can use it.
    fn announce(&self, member: &Member) -> io::Result<()> {
        member.host.add(member.address);
        self.cuts.extend_to(&member.host)
    }

    /// Lets those who do not choose an interface send to many; the oldest network comes first.
    fn multicast_route(&self, interface: &str) -> String {
        format!("route replace 224.0.0.0/4 dev {interface} metric {}", u32::from(self.number) + 1)
    }
}

impl Drop for Subnet {
    fn drop(&mut self) {
        for member in &self.members.lock().list {
            member.host.remove(member.address);
        }
    }
}

impl Members {
    fn next_address(&mut self, number: u16) -> io::Result<Ipv4Addr> {
        let full = || io::Error::other("this network has no address left");
        self.given = self.given.checked_add(1).filter(|last| *last < 255).ok_or_else(full)?;
        let [high, low] = [number / SPAN + 1, number % SPAN + 1];
        let network = 10 << 24 | u32::from(high) << 16 | u32::from(low) << 8;
        Ok(Ipv4Addr::from_bits(network | u32::from(self.given)))
    }

    fn position(&self, namespace: &Namespace) -> Option<usize> {
        self.list.iter().position(|member| Arc::ptr_eq(&member.host, namespace.host()))
    }
}

fn stranger(namespace: &Namespace) -> io::Error {
    let name = namespace.name();
    io::Error::new(io::ErrorKind::InvalidInput, format!("{name} is not a member of this network"))
}

#[cfg(test)]
mod tests {
    use super::{Members, SPAN};

    #[test]
    fn addresses_are_of_the_network_and_come_to_an_end() {
        let mut members = Members::default();
        let last = SPAN * SPAN - 1;
        assert_eq!(members.next_address(last).unwrap().to_string(), "10.250.250.1");
        assert_eq!(members.next_address(0).unwrap().to_string(), "10.1.1.2");
        assert_eq!((2..=300).filter(|_| members.next_address(0).is_ok()).count(), 252);
    }
}
