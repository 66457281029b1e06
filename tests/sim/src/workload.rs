//! What applications do: they live outside of the nodes, survive their reboots, ask again when they
//! got no answer, and remember what they were told.

use std::collections::BTreeMap;

use mangrove_protocol::effect::{Input, ReplyTo};
use mangrove_protocol::op::{Key, Kind, Value};
use mangrove_protocol::request::{
    Condition, Edit, Expect, Fault, Request, RequestId, Version, Written,
};

use crate::dice::Dice;
use crate::ledger::Call;
use crate::node::Spot;
use crate::oracle;
use crate::settings::Work;
use crate::verdict::Violation;
use crate::world::{Event, Phase, World};

/// Requests without an answer that are kept to be asked again.
const RETRIES_KEPT: usize = 32;

/// The application that talks to one context of one node.
#[derive(Debug)]
pub(crate) struct Client {
    dice: Dice,
    scope: String,
    asked: u64,
    /// The versions it was told last.
    versions: BTreeMap<(Kind, Key), Version>,
    /// What it may ask again.
    retries: Vec<Request>,
}

impl Client {
    pub(crate) fn new(seed: u64, spot: Spot) -> Self {
        let name = [6, spot.node as u64, spot.context as u64];
        Self {
            dice: Dice::new(seed, &name),
            scope: format!("client-{}", spot.node),
            asked: 0,
            versions: BTreeMap::new(),
            retries: Vec::new(),
        }
    }

    /// What it asks next: something new, or what it has asked before.
    fn next(&mut self, work: &Work) -> Request {
        if !self.retries.is_empty() && self.dice.chance(300) {
            let at = self.dice.index(self.retries.len());
            return self.retries.swap_remove(at);
        }
        self.asked += 1;
        let mut edits = (0..=self.dice.below(4)).map(|_| self.edit(work)).collect::<Vec<_>>();
        let id = self.dice.chance(work.ids).then(|| {
            let name = format!("{}-{}", self.scope, self.asked);
            RequestId { scope: self.scope.clone(), name }
        });
        if let Some(id) = &id {
            edits.push(Edit::Emit(id.name.clone(), Vec::new()));
        }
        if self.dice.chance(5) {
            edits.clear();
        }
        let conditions =
            if self.dice.chance(work.conditions) { self.conditions(&edits) } else { vec![] };
        Request { id, edits, conditions }
    }

    fn edit(&mut self, work: &Work) -> Edit {
        let total = work.edits.iter().sum();
        let mut drawn = self.dice.below(total);
        let mut choice = 0;
        for (at, weight) in (0..).zip(work.edits) {
            if drawn < weight {
                choice = at;
                break;
            }
            drawn -= weight;
        }
        let key = key(&format!("k{}", self.dice.below(work.keys)));
        match choice {
            0 => Edit::Put(key, self.value(work)),
            1 => Edit::Delete(Kind::Register, key),
            2 => Edit::Increment(key, self.amount()),
            3 => Edit::Delete(Kind::Counter, key),
            4 => Edit::Insert(key, self.item()),
            5 => Edit::Remove(key, self.item()),
            6 => Edit::Delete(Kind::Set, key),
            _ => Edit::Emit(key.as_str().to_owned(), vec![1, 2, 3]),
        }
    }

    fn value(&mut self, work: &Work) -> Value {
        let long = self.dice.chance(work.long_values);
        let len = match (long, self.dice.chance(100)) {
            (false, _) => self.dice.below(24),
            (true, false) => self.dice.below(20_000),
            (true, true) => self.dice.between(300_000, 524_288),
        };
        let mut bytes = vec![0; usize::try_from(len).unwrap_or_default()];
        self.dice.fill(&mut bytes);
        Value::new(&bytes).unwrap_or_else(|_| empty())
    }

    fn item(&mut self) -> Value {
        let byte = self.dice.below(5).to_le_bytes();
        Value::new(&byte).unwrap_or_else(|_| empty())
    }

    fn amount(&mut self) -> i64 {
        match self.dice.below(20) {
            0 => i64::MAX,
            1 => i64::MIN,
            small => i64::try_from(small).unwrap_or_default() - 10,
        }
    }

    fn conditions(&mut self, edits: &[Edit]) -> Vec<Condition> {
        let entities = edits.iter().filter_map(Edit::entity);
        let about = entities.map(|(kind, key)| (kind, key.clone())).collect::<Vec<_>>();
        let one = self.dice.pick(&about).cloned();
        let condition = one.map(|(kind, key)| {
            let version = self.versions.get(&(kind, key.clone())).copied();
            let expect = version.map_or(Expect::Absent, Expect::Version);
            Condition { kind, key, expect }
        });
        condition.into_iter().collect()
    }

    fn told(&mut self, request: &Request, written: &Written) {
        for (edit, version) in request.edits.iter().zip(&written.versions) {
            if let (Some((kind, key)), Some(version)) = (edit.entity(), version) {
                self.versions.insert((kind, key.clone()), *version);
            }
        }
    }

    fn keep(&mut self, request: Request) {
        if request.id.is_some() && self.retries.len() < RETRIES_KEPT {
            self.retries.push(request);
        }
    }
}

pub(crate) fn key(text: &str) -> Key {
    let short = Key::new(text);
    short.unwrap_or_else(|_| unreachable_key())
}

#[expect(clippy::expect_used, reason = "the empty text is within every limit")]
fn unreachable_key() -> Key {
    Key::new("").expect("fits")
}

#[expect(clippy::expect_used, reason = "no bytes at all are within every limit")]
fn empty() -> Value {
    Value::new(&[]).expect("fits")
}

impl World {
    /// It is time for some calls.
    pub(crate) fn call(&mut self, spot: Spot) {
        let work = self.settings.work;
        if self.phase != Phase::Chaos {
            return;
        }
        let Some(client) = self.clients.get_mut(&spot) else { return };
        let after_ms = 1 + client.dice.below(2 * work.every_ms);
        let count = client.dice.between(1, work.burst);
        let requests = (0..count).map(|_| client.next(&work)).collect::<Vec<_>>();
        let twice = requests.first().filter(|_| client.dice.chance(100)).cloned();
        self.after(after_ms, Event::Call { spot });
        for request in requests.into_iter().chain(twice) {
            self.request(spot, request);
        }
    }

    /// Calls a node; nothing happens if it does not run.
    pub(crate) fn request(&mut self, spot: Spot, request: Request) -> Option<ReplyTo> {
        self.nodes.get(spot.node).filter(|node| node.is_up())?;
        self.tally.hit("calls");
        let reply = self.ledger.ask(Call { spot, request: request.clone() });
        self.feed(spot, Input::Write { request, reply });
        Some(reply)
    }

    /// A caller gets an answer.
    pub(crate) fn answered(&mut self, spot: Spot, to: ReplyTo, answer: Result<Written, Fault>) {
        let label = answer.as_ref().map_or_else(fault_label, |_| "calls confirmed");
        self.trace.note(self.now_ms, spot.node, label, &to.0.to_le_bytes());
        self.tally.hit(label);
        let Some(call) = self.ledger.open.remove(&to).filter(|call| call.spot == spot) else {
            self.fail(
                Some(spot.node),
                Violation::new("S14", "a call is answered that is not open"),
            );
            return;
        };
        if let Ok(written) = &answer {
            self.marked(spot, to, written.delta);
        }
        if let Err(fault) = &answer {
            let checked = oracle::rights::refuses(self, spot, fault);
            self.demand(spot.node, checked);
        }
        match answer {
            Ok(written) => {
                let checked = self.confirmed(spot, &call, &written);
                self.demand(spot.node, checked);
            }
            Err(Fault::Busy | Fault::Stopping | Fault::Clock { .. } | Fault::Syncing) => {
                if let Some(client) = self.clients.get_mut(&spot) {
                    client.keep(call.request);
                }
            }
            Err(_) => {}
        }
    }

    fn confirmed(&mut self, spot: Spot, call: &Call, written: &Written) -> Result<(), Violation> {
        oracle::leave::reply(self, spot, written)?;
        let memory = self.nodes.get(spot.node).map(|node| node.memory).unwrap_or_default();
        let Self { ledger, clients, tally, .. } = self;
        ledger.acked.entry(spot).or_default().insert(written.delta, written.seq);
        if let Some(id) = &call.request.id {
            ledger.check_named(spot, memory, id, written.delta)?;
        }
        if written.versions.len() != call.request.edits.len() {
            return Err(Violation::new("S9", "a version is told for each edit, or not at all"));
        }
        if written.duplicate {
            tally.hit("calls confirmed again");
            return Ok(());
        }
        for (edit, version) in call.request.edits.iter().zip(&written.versions) {
            if let (Some((kind, key)), Some(version)) = (edit.entity(), version) {
                ledger.tell(kind, key, *version);
            }
        }
        if let Some(client) = clients.get_mut(&spot) {
            client.told(&call.request, written);
            if client.dice.chance(50) {
                client.keep(call.request.clone());
            }
        }
        Ok(())
    }

    /// Nobody answers these any more; their callers may ask again.
    pub(crate) fn lose_calls(&mut self, node: usize) {
        for call in self.ledger.lose(node) {
            self.tally.hit("calls lost with their node");
            if let Some(client) = self.clients.get_mut(&call.spot) {
                client.keep(call.request);
            }
        }
    }
}

const fn fault_label(fault: &Fault) -> &'static str {
    match fault {
        Fault::Busy => "calls refused: busy",
        Fault::Conflict { .. } => "calls refused: conflict",
        Fault::RequestReused => "calls refused: request reused",
        Fault::TooLarge { .. } => "calls refused: too large",
        Fault::Empty => "calls refused: empty",
        Fault::Clock { .. } => "calls refused: clock",
        Fault::Forbidden => "calls refused: forbidden",
        Fault::Syncing => "calls refused: syncing",
        Fault::Stopping => "calls refused: stopping",
        _ => "calls refused: otherwise",
    }
}
