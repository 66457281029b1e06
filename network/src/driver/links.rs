//! Connections: as libp2p numbers them, as we do, and when each last gave a sign of life.

use std::collections::BTreeMap;

use libp2p::swarm::ConnectionId;

/// Connections that are open.
#[derive(Debug, Default)]
pub(super) struct Links {
    last: u64,
    numbers: BTreeMap<ConnectionId, u64>,
    open: BTreeMap<u64, Open>,
}

#[derive(Debug)]
struct Open {
    id: ConnectionId,
    /// `None` if the other side does not know how to give signs of life.
    alive_ms: Option<u64>,
}

impl Links {
    /// A new connection, and its number.
    pub(super) fn open(&mut self, id: ConnectionId, now_ms: u64) -> u64 {
        self.last += 1;
        self.numbers.insert(id, self.last);
        self.open.insert(self.last, Open { id, alive_ms: Some(now_ms) });
        self.last
    }

    /// A connection that has ended, by its number.
    pub(super) fn close(&mut self, id: ConnectionId) -> Option<u64> {
        let number = self.numbers.remove(&id)?;
        self.open.remove(&number);
        Some(number)
    }

    /// The number of a connection.
    pub(super) fn number(&self, id: ConnectionId) -> Option<u64> {
        self.numbers.get(&id).copied()
    }

    /// The connection of this number.
    pub(super) fn id(&self, number: u64) -> Option<ConnectionId> {
        self.open.get(&number).map(|open| open.id)
    }

    /// A connection has given a sign of life.
    pub(super) fn is_alive(&mut self, number: u64, now_ms: u64) {
        if let Some(open) = self.open.get_mut(&number) {
            open.alive_ms = Some(now_ms);
        }
    }

    /// A connection will never give one.
    pub(super) fn is_mute(&mut self, number: u64) {
        if let Some(open) = self.open.get_mut(&number) {
            open.alive_ms = None;
        }
    }

    /// Connections whose last sign of life is older than this.
    pub(super) fn silent(&self, since_ms: u64) -> Vec<ConnectionId> {
        let silent = |open: &&Open| open.alive_ms.is_some_and(|alive_ms| alive_ms < since_ms);
        self.open.values().filter(silent).map(|open| open.id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_silent_when_its_last_sign_of_life_is_old() {
        let mut links = Links::default();
        let ids = [1, 2, 3].map(ConnectionId::new_unchecked);
        let [first, second, third] = ids.map(|id| links.open(id, 1_000));
        links.is_alive(first, 5_000);
        links.is_mute(second);
        assert_eq!(links.silent(4_000), [ids[2]]);
        assert_eq!(links.close(ids[2]), Some(third));
        assert_eq!(links.silent(4_000), []);
        assert_eq!((links.id(first), links.number(ids[0])), (Some(ids[0]), Some(first)));
        assert_eq!((links.id(third), links.number(ids[2])), (None, None));
    }
}
