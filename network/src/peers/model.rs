//! Peers beside a simple model of them, through random histories.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::trial::{link, peer, quic, tcp};
use super::*;

/// Peer 0 is the one that looks.
const PEERS: u8 = 7;
const FOREVER_MS: u64 = 1 << 60;

#[derive(Debug, Clone, Copy)]
enum Step {
    Learn(u8, u8, Source),
    Want(u8, Why),
    Unwant(u8, Why),
    Ban(u8),
    Unban(u8),
    Cool(u8),
    Connect(u8, Direction),
    Disconnect(usize),
    Fail(u8),
    Nudge,
    Record(u8),
    Recall,
    Wait(u64),
    Due(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let source = prop::sample::select(vec![
        Source::Manual,
        Source::Bootstrap,
        Source::Seen,
        Source::Mdns,
        Source::Told,
    ]);
    let why = || prop::sample::select(vec![Why::Bootstrap, Why::Member]);
    let direction = prop::sample::select(vec![Direction::Inbound, Direction::Outbound]);
    prop_oneof![
        4 => (0..PEERS, 0..9_u8, source).prop_map(|(n, at, source)| Step::Learn(n, at, source)),
        4 => (0..PEERS, why()).prop_map(|(n, why)| Step::Want(n, why)),
        1 => (0..PEERS, why()).prop_map(|(n, why)| Step::Unwant(n, why)),
        1 => (0..PEERS).prop_map(Step::Ban),
        1 => (0..PEERS).prop_map(Step::Unban),
        1 => (0..PEERS).prop_map(Step::Cool),
        2 => (0..PEERS, direction).prop_map(|(n, direction)| Step::Connect(n, direction)),
        2 => (0..9_usize).prop_map(Step::Disconnect),
        4 => (0..PEERS).prop_map(Step::Fail),
        1 => Just(Step::Nudge),
        1 => (0..PEERS).prop_map(Step::Record),
        1 => Just(Step::Recall),
        4 => prop_oneof![0..600_u64, 0..100_000_u64].prop_map(Step::Wait),
        6 => (0..4_usize).prop_map(Step::Due),
    ]
}

struct Model {
    now_ms: u64,
    wanted: BTreeSet<(PeerId, Why)>,
    banned: BTreeSet<PeerId>,
    cooling: BTreeMap<PeerId, u64>,
    links: BTreeMap<u64, PeerId>,
    dialled: BTreeMap<PeerId, u64>,
}

impl Model {
    fn may_dial(&self, peer: PeerId) -> bool {
        let is_wanted = self.wanted.iter().any(|(it, _)| *it == peer);
        let is_cooling = self.cooling.get(&peer).is_some_and(|until_ms| *until_ms > self.now_ms);
        let is_connected = self.links.values().any(|it| *it == peer);
        let since_ms = self.dialled.get(&peer);
        let is_dialled = since_ms.is_some_and(|since_ms| since_ms + 15_000 > self.now_ms);
        let is_refused = self.banned.contains(&peer) || is_cooling;
        is_wanted && !is_refused && !is_connected && !is_dialled
    }
}

/// The peers under test beside what they should be.
struct Trial {
    peers: Peers,
    model: Model,
    rules: Rules,
    links_made: u64,
}

impl Trial {
    fn new(seed: u64) -> Self {
        let rules = Rules {
            most_peers: 5,
            addresses_per_peer: 4,
            addresses_per_dial: 2,
            ledger_peers: 3,
            ..Rules::default()
        };
        let model = Model {
            now_ms: 0,
            wanted: BTreeSet::new(),
            banned: BTreeSet::new(),
            cooling: BTreeMap::new(),
            links: BTreeMap::new(),
            dialled: BTreeMap::new(),
        };
        Self { peers: Peers::new(peer(0), rules.clone(), seed), model, rules, links_made: 0 }
    }

    fn step(&mut self, step: Step) {
        let (peers, model) = (&mut self.peers, &mut self.model);
        let now_ms = model.now_ms;
        match step {
            Step::Learn(n, at, source) => {
                let address = if at < 6 { tcp(at) } else { quic(at) };
                peers.learn(peer(n), address, source, now_ms);
            }
            Step::Want(n, why) => {
                if peers.want(peer(n), why, now_ms) {
                    model.wanted.insert((peer(n), why));
                }
            }
            Step::Unwant(n, why) => {
                peers.unwant(peer(n), why);
                model.wanted.remove(&(peer(n), why));
                if !model.wanted.iter().any(|(it, _)| *it == peer(n)) {
                    model.dialled.remove(&peer(n));
                }
            }
            Step::Ban(n) => {
                let closed: BTreeSet<_> = peers.ban(peer(n)).into_iter().collect();
                let open = model.links.iter().filter(|(_, it)| **it == peer(n));
                assert_eq!(closed, open.map(|(id, _)| *id).collect());
                model.banned.insert(peer(n));
            }
            Step::Unban(n) => {
                assert_eq!(peers.unban(peer(n)), model.banned.remove(&peer(n)));
                model.cooling.remove(&peer(n));
            }
            Step::Cool(n) => {
                model.cooling.insert(peer(n), peers.cool(peer(n), now_ms));
                // More than fit were turned away: who comes back first has been let in.
                model.cooling.retain(|it, _| peers.refusal(*it, now_ms).is_some());
            }
            Step::Connect(n, direction) => self.connect(n, direction),
            Step::Disconnect(at) => self.disconnect(at),
            Step::Fail(n) => {
                peers.failed(peer(n), &[tcp(n), quic(n)], now_ms);
                model.dialled.remove(&peer(n));
            }
            Step::Nudge => peers.nudge(now_ms),
            Step::Record(n) => peers.record(peer(n), "flood", now_ms),
            Step::Recall => peers.recall(peers.remembered(), now_ms),
            Step::Wait(wait_ms) => model.now_ms += wait_ms,
            Step::Due(room) => self.dial(room),
        }
    }

    fn connect(&mut self, n: u8, direction: Direction) {
        self.links_made += 1;
        let id = self.links_made;
        let is_first = !self.model.links.values().any(|it| *it == peer(n));
        let link = Link { direction, ..link(id, n) };
        assert_eq!(self.peers.connected(link, self.model.now_ms), is_first);
        self.model.links.insert(id, peer(n));
        self.model.dialled.remove(&peer(n));
    }

    fn disconnect(&mut self, at: usize) {
        let Some(id) = self.model.links.keys().nth(at).copied() else { return };
        let peer = self.model.links.remove(&id).unwrap();
        let last = !self.model.links.values().any(|it| *it == peer);
        let lost = self.peers.disconnected(id, self.model.now_ms);
        assert_eq!(lost, Some(Lost { peer, last }));
    }

    fn dial(&mut self, room: usize) {
        let dials = self.peers.due(self.model.now_ms, room);
        assert!(dials.len() <= room);
        for Dial { peer: id, addresses, .. } in dials {
            assert!(id != peer(0) && self.model.may_dial(id), "{id:?} is dialled");
            let different: BTreeSet<_> = addresses.iter().collect();
            assert_eq!(different.len(), addresses.len());
            assert!((1..=self.rules.addresses_per_dial).contains(&addresses.len()));
            self.model.dialled.insert(id, self.model.now_ms);
        }
    }

    fn check(&self) {
        let (peers, model) = (&self.peers, &self.model);
        let connected: BTreeSet<_> = model.links.values().copied().collect();
        assert_eq!((peers.links(), peers.connected_peers()), (model.links.len(), connected.len()));
        let roll = peers.roll(model.now_ms);
        assert!(roll.is_sorted_by_key(|it| it.peer));
        assert!(roll.iter().filter(|it| it.known_addresses > 0).count() <= self.rules.most_peers);
        assert!(roll.iter().filter(|it| !it.why.is_empty()).count() <= self.rules.most_peers);
        assert!(roll.iter().filter(|it| !it.faults.is_empty()).count() <= self.rules.ledger_peers);
        for view in roll {
            let id = view.peer;
            assert!(view.known_addresses <= self.rules.addresses_per_peer);
            assert_eq!(peers.is_connected(id), connected.contains(&id));
            assert_eq!(peers.best(id).is_some(), connected.contains(&id));
            assert!(peers.best(id).is_none_or(|best| peers.connections(id).any(|it| it == best)));
            let why: BTreeSet<_> = view.why.into_iter().map(|why| (id, why)).collect();
            assert!(why.is_subset(&model.wanted));
        }
    }

    /// Nothing is due before the time that is named, and something happens then.
    fn check_wake(&self) {
        let (now_ms, wake_ms) = (self.model.now_ms, self.peers.wake_at());
        let due = |at_ms: u64| {
            let mut peers = self.peers.clone();
            (peers.due(at_ms, 99).len(), peers.wake_at())
        };
        let Some(wake_ms) = wake_ms else { return assert_eq!(due(FOREVER_MS).0, 0) };
        if wake_ms > now_ms {
            assert_eq!(due(now_ms).0, 0);
            assert_eq!(due(wake_ms - 1).0, 0);
        }
        let (count, next_ms) = due(wake_ms.max(now_ms));
        assert!(count > 0 || next_ms.is_none_or(|next_ms| next_ms > wake_ms.max(now_ms)));
    }
}

/// Lets dials of one peer end in this way, in turn, and says how long it is between two of them.
fn intervals(ends: &[Option<u64>], seed: u64) -> Vec<u64> {
    let mut peers = Peers::new(peer(0), Rules::default(), seed);
    peers.want(peer(1), Why::Member, 0);
    peers.learn(peer(1), tcp(1), Source::Mdns, 0);
    let mut dialled_ms = 0;
    let mut intervals = Vec::new();
    for end in ends.iter().cycle().take(400) {
        let mut now_ms = peers.wake_at().unwrap();
        while peers.due(now_ms, 1).is_empty() {
            now_ms = peers.wake_at().unwrap();
        }
        intervals.push(now_ms - dialled_ms);
        dialled_ms = now_ms;
        if let Some(after_ms) = end {
            peers.failed(peer(1), &[tcp(1)], now_ms + after_ms);
        }
    }
    intervals
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn whatever_happens_the_rules_are_kept(
        seed: u64,
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let mut trial = Trial::new(seed);
        for step in steps {
            trial.step(step);
            trial.check();
            trial.check_wake();
        }
    }

    #[test]
    fn a_wanted_peer_is_never_given_up(
        seed: u64,
        ends in prop::collection::vec(prop::option::of(0..15_000_u64), 1..9),
    ) {
        let longest_ms = Rules::default().most_gap_ms + 15_000;
        let intervals = intervals(&ends, seed);
        prop_assert!(intervals.iter().all(|it| *it <= longest_ms), "{:?}", intervals);
    }
}
