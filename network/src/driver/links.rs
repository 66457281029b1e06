//! Connections: as libp2p numbers them, and as we do.

use std::collections::BTreeMap;

use libp2p::swarm::ConnectionId;

/// Connections that are open.
#[derive(Debug, Default)]
pub(super) struct Links {
    last: u64,
    numbers: BTreeMap<ConnectionId, u64>,
    ids: BTreeMap<u64, ConnectionId>,
}

impl Links {
    /// A new connection, and its number.
    pub(super) fn open(&mut self, id: ConnectionId) -> u64 {
        self.last += 1;
        self.numbers.insert(id, self.last);
        self.ids.insert(self.last, id);
        self.last
    }

    /// A connection that has ended, by its number.
    pub(super) fn close(&mut self, id: ConnectionId) -> Option<u64> {
        let number = self.numbers.remove(&id)?;
        self.ids.remove(&number);
        Some(number)
    }

    /// The number of a connection.
    pub(super) fn number(&self, id: ConnectionId) -> Option<u64> {
        self.numbers.get(&id).copied()
    }

    /// The connection of this number.
    pub(super) fn id(&self, number: u64) -> Option<ConnectionId> {
        self.ids.get(&number).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_has_one_number_for_as_long_as_it_is_open() {
        let mut links = Links::default();
        let ids = [1, 2].map(ConnectionId::new_unchecked);
        let [first, second] = ids.map(|id| links.open(id));
        assert_eq!((links.id(first), links.number(ids[0])), (Some(ids[0]), Some(first)));
        assert_eq!(links.close(ids[1]), Some(second));
        assert_eq!((links.id(second), links.number(ids[1])), (None, None));
        assert_ne!(links.open(ids[1]), second);
    }
}
