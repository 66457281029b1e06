//! The section `[network]`: where a node meets its peers, and how much of them it bears.

use std::fmt;

use crate::address::Multiaddr;
use crate::section::section;
use crate::setting::{Text, Unfit};

section! {
    /// Where this node meets its peers, and how much of them it bears.
    "network" => Network {
        /// Where peers can reach this node, each a multiaddress. Port 0 takes any free one; an
        /// empty list means that this node only dials.
        listen: Vec<Multiaddr> = default_listen(),
        /// Peers to dial at start, each a multiaddress that ends in `/p2p/` and a peer id.
        bootstrap: Vec<Multiaddr> = Vec::new(),
        /// `lan`: finds peers on the local network by mDNS. `server`: does not. `test`: does not, and
        /// the mesh forms in a fraction of a second, at the price of more traffic.
        profile: Profile = Profile::Lan,
        /// `anonymous`: a message on the mesh does not tell who sent it first. `signed`: it does, for
        /// peers of other makes that insist on it. The same on all nodes of a mesh.
        authorship: Authorship = Authorship::Anonymous,
        /// Connections at a time, to all peers together.
        connections: u64 = 512,
        /// Streams at a time that peers have opened, and as many that this node has opened.
        streams: u64 = 256,
        /// Streams at a time that one peer has opened, and as many that this node has opened to it.
        streams_per_peer: u64 = 16,
        /// Messages of the mesh that wait to be judged. What comes beyond is left to comparing.
        messages: u64 = 1_024,
        /// Memory for messages that wait to be judged, in MiB.
        messages_mib: u64 = 16,
        /// Messages a second that one peer may hand on. Who exceeds it for long is turned away.
        messages_per_second: u64 = 2_000,
        /// Orders to the network that wait to be carried out.
        commands: u64 = 1_024,
    }
}

fn default_listen() -> Vec<Multiaddr> {
    Multiaddr::any_interface(2771)
}

impl Network {
    /// What is out of range, with the key at fault.
    pub(crate) fn out_of_range(&self) -> Option<(&'static str, Unfit)> {
        Unfit::first_outside([
            ("network.connections", self.connections, 1, 65_536),
            ("network.streams", self.streams, 1, 65_536),
            ("network.streams_per_peer", self.streams_per_peer, 1, 65_536),
            ("network.messages", self.messages, 1, 65_536),
            ("network.messages_mib", self.messages_mib, 1, 4_096),
            ("network.messages_per_second", self.messages_per_second, 1, 1 << 30),
            ("network.commands", self.commands, 1, 65_536),
        ])
    }
}

/// Which surroundings a node is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Machines that find each other.
    Lan,
    /// A machine among strangers.
    Server,
    /// Many nodes on one machine, in a hurry.
    Test,
}

/// Whether a message on the mesh tells who sent it first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authorship {
    /// It does not.
    Anonymous,
    /// It does, under the signature of that peer.
    Signed,
}

impl Profile {
    const ALL: [Self; 3] = [Self::Lan, Self::Server, Self::Test];
}

impl Authorship {
    const ALL: [Self; 2] = [Self::Anonymous, Self::Signed];
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lan => "lan",
            Self::Server => "server",
            Self::Test => "test",
        })
    }
}

impl fmt::Display for Authorship {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "anonymous",
            Self::Signed => "signed",
        })
    }
}

impl Text for Profile {
    const EXPECTED: &'static str = "`lan`, `server` or `test`";

    fn parse(text: &str) -> Result<Self, Unfit> {
        let found = Self::ALL.into_iter().find(|profile| profile.to_string() == text);
        found.ok_or_else(|| Unfit::new(format!("expected {}, found `{text}`", Self::EXPECTED)))
    }

    fn print(&self) -> String {
        self.to_string()
    }
}

impl Text for Authorship {
    const EXPECTED: &'static str = "`anonymous` or `signed`";

    fn parse(text: &str) -> Result<Self, Unfit> {
        let found = Self::ALL.into_iter().find(|authorship| authorship.to_string() == text);
        found.ok_or_else(|| Unfit::new(format!("expected {}, found `{text}`", Self::EXPECTED)))
    }

    fn print(&self) -> String {
        self.to_string()
    }
}
