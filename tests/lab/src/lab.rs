//! The place where networks are made.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::cuts::Cuts;
use crate::subnet::Subnet;
use crate::tool::Tools;
use crate::{Conditions, Link, Namespace, Partition, Switch, Wire};
use crate::{leftovers, link, notice, partition};

const NEEDED: &str = "root on Linux, with iproute2 and nftables";

/// The place where networks are made.
///
/// What is to be joined or cut has to come from the same lab: labs know nothing of each other.
#[derive(Debug)]
pub struct Lab {
    tools: Arc<Tools>,
    cuts: Arc<Cuts>,
}

impl Lab {
    /// A lab, after what dead processes left of theirs was removed.
    ///
    /// None where there is no Linux, no root, no `ip` or no `nft`; a line on the standard error tells.
    pub fn open() -> Option<Self> {
        let opened = Self::try_open();
        opened.inspect_err(|why| notice::skipped("network", why, NEEDED)).ok()
    }

    /// A new namespace with nothing but its loopback. `label` becomes a part of its name.
    pub fn namespace(&self, label: &str) -> io::Result<Namespace> {
        Namespace::new(&self.tools, label)
    }

    /// Joins two namespaces by a wire.
    pub fn connect(&self, a: &Namespace, b: &Namespace) -> io::Result<Wire> {
        Wire::new(&self.tools, self.subnet(), a, b)
    }

    /// Joins several namespaces by a switch.
    pub fn switch(&self, members: &[&Namespace]) -> io::Result<Switch> {
        Switch::new(&self.tools, self.subnet(), members)
    }

    /// Whether [`Lab::emulate`] can work here; if not, a line on the standard error tells why.
    pub fn can_emulate(&self) -> bool {
        let missing = link::missing();
        missing.inspect(|why| notice::skipped("emulated link", why, link::NEEDED)).is_none()
    }

    /// Joins two namespaces by a link that delays and loses as `conditions` say, in both directions.
    ///
    /// Fails with [`io::ErrorKind::Unsupported`] where `python3` or `/dev/net/tun` is missing.
    pub fn emulate(
        &self,
        a: &Namespace,
        b: &Namespace,
        conditions: Conditions,
    ) -> io::Result<Link> {
        Link::new(self.subnet(), a, b, conditions)
    }

    /// Cuts every namespace of `left` from every one of `right`, in both directions.
    pub fn partition(&self, left: &[&Namespace], right: &[&Namespace]) -> io::Result<Partition> {
        let mut walls = partition::walls(left, right);
        walls.extend(partition::walls(right, left));
        Partition::new(&self.cuts, walls)
    }

    /// Keeps `hearers` from hearing `speakers`, who go on hearing them.
    pub fn deafen(&self, hearers: &[&Namespace], speakers: &[&Namespace]) -> io::Result<Partition> {
        Partition::new(&self.cuts, partition::walls(hearers, speakers))
    }

    fn try_open() -> Result<Self, String> {
        // The first lab of a process tries everything once, the others believe it.
        static TRIED: Mutex<Option<Result<Arc<Tools>, String>>> = Mutex::new(None);
        if !cfg!(target_os = "linux") {
            return Err("this is not Linux".to_owned());
        }
        if !rustix::process::geteuid().is_root() {
            return Err("this is not root".to_owned());
        }
        let tools = TRIED.lock().get_or_insert_with(attempt).clone()?;
        leftovers::sweep(&tools);
        let cuts = Arc::new(Cuts::new(&tools));
        Ok(Self { tools, cuts })
    }

    fn subnet(&self) -> Subnet {
        Subnet::new(&self.tools, &self.cuts)
    }
}

/// Finds the tools and makes a namespace and a filter with them: containers may forbid both.
fn attempt() -> Result<Arc<Tools>, String> {
    let tools = Arc::new(Tools::find()?);
    leftovers::sweep_namesakes(&tools);
    let cuts = Arc::new(Cuts::new(&tools));
    let tried = Namespace::new(&tools, "attempt").and_then(|namespace| {
        let walls = partition::walls(&[&namespace], &[&namespace]);
        Partition::new(&cuts, walls)?.heal()
    });
    tried.map(|()| tools).map_err(|error| error.to_string().replace('\n', " "))
}
