//! Two sides that do not hear each other.

use std::io;
use std::sync::Arc;

use crate::Namespace;
use crate::cuts::{Cuts, Wall};
use crate::namespace::Host;

/// Two sides that do not hear each other, until it is healed or dropped.
///
/// Packets vanish where they arrive, so nobody is told. It holds against addresses that are given or
/// changed later, too. Connections survive it if they are patient enough.
#[derive(Debug)]
pub struct Partition {
    cuts: Arc<Cuts>,
    number: u64,
}

impl Partition {
    pub(crate) fn new(cuts: &Arc<Cuts>, walls: Vec<Wall>) -> io::Result<Self> {
        Ok(Self { number: cuts.put_up(walls)?, cuts: Arc::clone(cuts) })
    }

    /// Ends it.
    pub fn heal(self) -> io::Result<()> {
        self.cuts.take_down(self.number)
    }
}

impl Drop for Partition {
    fn drop(&mut self) {
        let _healed_or_gone = self.cuts.take_down(self.number);
    }
}

/// Keeps `hearers` from hearing `speakers`.
pub(crate) fn walls(hearers: &[&Namespace], speakers: &[&Namespace]) -> Vec<Wall> {
    let against: Vec<Arc<Host>> = speakers.iter().map(|it| Arc::clone(it.host())).collect();
    let wall =
        |hearer: &&Namespace| Wall { inside: Arc::clone(hearer.host()), against: against.clone() };
    hearers.iter().map(wall).collect()
}
