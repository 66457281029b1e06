//! A few members with a node each, who decide and write through their replicas and tell each other
//! when they are told to.

use std::collections::{BTreeMap, BTreeSet};

use mangrove_protocol::delta::Delta;
use mangrove_protocol::effect::{Decided, Effect, Input, ReplyTo, Undecided};
use mangrove_protocol::governance::{Command, Role};
use mangrove_protocol::graph::{Status, Void};
use mangrove_protocol::id::{ContextId, LogId, PeerId, Plane};
use mangrove_protocol::planted::Planted;
use mangrove_protocol::replica::{Config, Mode, found};
use mangrove_protocol::request::{Fault, Written};
use mangrove_protocol::view::{Deltas, History, Places, Registers, View, every};

use crate::crank::{Crank, NOW_MS, boundless, call, config, published, put};
use crate::founding::signed_kem;
use crate::make::{key, keys};

/// The members, each with the seed of its keys.
const FOLK: [(&str, u8); 6] =
    [("owner", 101), ("ann", 102), ("ben", 103), ("cay", 104), ("dan", 105), ("keeper", 106)];

#[derive(Debug)]
pub(crate) struct Town {
    context: ContextId,
    planted: Planted,
    pub(crate) nodes: BTreeMap<&'static str, Crank>,
}

pub(crate) fn peer(who: &str) -> PeerId {
    keys(seed(who)).peer()
}

fn seed(who: &str) -> u8 {
    FOLK.iter().find(|(name, _)| *name == who).unwrap().1
}

impl Town {
    /// The owner, and three writers who know all there is to know.
    pub(crate) fn new(planted: Planted) -> Self {
        let mut dice = crate::crank::Dice::new(7);
        let mut entropy = |bytes: &mut [u8]| dice.fill(bytes);
        let founding = found(&keys(seed("owner")), "town", NOW_MS, &mut entropy).unwrap();
        let context = founding[0].context();
        let mut town = Self { context, planted, nodes: BTreeMap::new() };
        for who in ["owner", "ann", "ben", "cay"] {
            town.build(who, Mode::Full);
        }
        town.give("owner", &founding);
        for who in ["ann", "ben", "cay"] {
            town.decide("owner", town.grant(who, Role::Writer));
        }
        town.deliver_all(&["owner", "ann", "ben", "cay"]);
        town
    }

    pub(crate) fn honest() -> Self {
        Self::new(Planted::default())
    }

    /// A node for somebody, which knows nothing yet.
    pub(crate) fn build(&mut self, who: &'static str, mode: Mode) {
        let plain = Config { bounds: boundless(), ..config(seed(who)) };
        let (context, planted) = (self.context, self.planted.clone());
        let mut crank = Crank::empty(Config { context, mode, planted, ..plain });
        crank.now_ms = NOW_MS;
        self.nodes.insert(who, crank);
    }

    pub(crate) fn node(&mut self, who: &str) -> &mut Crank {
        self.nodes.get_mut(who).unwrap()
    }

    pub(crate) fn grant(&self, who: &str, role: Role) -> Command {
        Command::Grant { member: peer(who), kem: signed_kem(&keys(seed(who))), role }
    }

    pub(crate) fn remove(&self, who: &str) -> Command {
        Command::Remove { member: peer(who) }
    }

    pub(crate) fn set_role(&self, who: &str, role: Role) -> Command {
        Command::SetRole { member: peer(who), role }
    }

    pub(crate) fn try_to_decide(
        &mut self,
        who: &str,
        command: Command,
    ) -> Result<Decided, Undecided> {
        let out = self.node(who).feed(Input::Decide { command, reply: ReplyTo(9) });
        let mut answers = out.into_iter().filter_map(|effect| match effect {
            Effect::Decided { answer, .. } => Some(answer),
            _ => None,
        });
        answers.next().expect("an answer")
    }

    pub(crate) fn decide(&mut self, who: &str, command: Command) -> Decided {
        self.try_to_decide(who, command).unwrap()
    }

    /// Writes under a key, and returns everything that was published for it.
    pub(crate) fn write(&mut self, who: &str, text: &str) -> Vec<Delta> {
        let out = self.node(who).feed(crate::crank::write(0, call(vec![put(text, text)])));
        let answers = crate::crank::answers(&out);
        assert!(answers.iter().all(|(_, answer)| answer.is_ok()), "{who}: {answers:?}");
        published(&out).into_iter().cloned().collect()
    }

    pub(crate) fn try_to_write(&mut self, who: &str, text: &str) -> Result<Written, Fault> {
        self.node(who).ask(call(vec![put(text, text)]))
    }

    pub(crate) fn read(&mut self, who: &str, text: &str) -> Option<Vec<u8>> {
        let row = self.node(who).memory.get::<Registers>(&key(text))?;
        row.value.map(|value| value.as_bytes().to_vec())
    }

    pub(crate) fn give(&mut self, who: &str, deltas: &[Delta]) -> Vec<Effect> {
        self.node(who).give(deltas)
    }

    /// What somebody passes on: all that counts, in an order in which it can be applied.
    fn passed_on(&mut self, who: &str) -> Vec<Delta> {
        let memory = &self.node(who).memory;
        let kept = |place: &mangrove_protocol::graph::Place| {
            !matches!(place.status, Status::Void { why: Void::CutOff, .. })
        };
        let settled = every::<History, _>(memory).map(|(_, id)| id);
        let kept = settled.filter(|id| memory.get::<Places>(id).is_some_and(|it| kept(&it)));
        let all = kept.filter_map(|id| memory.get::<Deltas>(&id)).collect::<Vec<_>>();
        let (first, then): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|delta| delta.log().plane == Plane::Governance);
        [first, then].concat()
    }

    /// One tells another all it knows; if they know the same of governance they notice.
    pub(crate) fn share(&mut self, from: &str, to: &str) {
        let all = self.passed_on(from);
        self.give(to, &all);
        if self.node(from).replica.governance() == self.node(to).replica.governance() {
            self.node(to).feed(Input::Agreed { with: peer(from) });
            self.node(from).feed(Input::Agreed { with: peer(to) });
        }
    }

    /// All of these tell each other until nobody learns anything.
    pub(crate) fn deliver_all(&mut self, who: &[&str]) {
        for _ in 0..8 {
            let commits = |town: &Self| town.nodes.values().map(|it| it.commits).sum::<usize>();
            let before = commits(self);
            for from in who {
                for to in who.iter().filter(|to| *to != from) {
                    self.share(from, to);
                }
            }
            if commits(self) == before {
                return;
            }
        }
        panic!("they never know the same");
    }

    /// The data deltas held by one of which another holds the key, of those written with `from` or
    /// later.
    pub(crate) fn can_open(&mut self, who: &str, holder: &str, text: &str) -> bool {
        let row = self.node(holder).memory.get::<Registers>(&key(text)).unwrap();
        let delta = self.node(holder).memory.get::<Deltas>(&row.stamp.delta).unwrap();
        let epoch = delta.header().seal.epoch().unwrap();
        self.node(who).replica.keyring().get(&epoch).is_some()
    }

    pub(crate) fn logs_of(&mut self, who: &str) -> BTreeSet<LogId> {
        let deltas = every::<Deltas, _>(&self.node(who).memory);
        let logs = deltas.map(|(_, delta)| *delta.log());
        logs.filter(|log| log.plane == Plane::Data && log.author == peer(who)).collect()
    }

    pub(crate) fn role(&mut self, of: &str, by: &str) -> Option<Role> {
        self.node(by).replica.roster().role(peer(of))
    }
}
