//! The end of a run: nothing goes wrong any more, and everybody catches up. Or only a core does, and
//! the rest stays dead or cut off for ever.

use std::collections::{BTreeMap, BTreeSet};

use mangrove_protocol::clock::MAX_AHEAD_MS;
use mangrove_protocol::effect::ReplyTo;
use mangrove_protocol::graph::{Cause, Status};
use mangrove_protocol::id::DeltaId;
use mangrove_protocol::log::Vector;
use mangrove_protocol::op::Value;
use mangrove_protocol::request::{Edit, Request};
use mangrove_protocol::view::{Deltas, Memory, Outbox, Places, Table, Waiting};

use crate::assembly::Assembly;
use crate::attrition::Reboot;
use crate::network::Passage;
use crate::node::{Flight, Spot};
use crate::oracle;
use crate::oracle::image::Moment;
use crate::oracle::law::{Law, Reach};
use crate::oracle::reference::{Opened, State};
use crate::settings::Links;
use crate::verdict::Violation;
use crate::workload::key;
use crate::world::{Event, Phase, World};

/// How long convergence may take when nothing has to be waited for but keys that nobody needs to write
/// under.
const BOUND_MS: u64 = 240_000;
/// Deltas that a node takes with one commit when it catches up, at the least.
const DELTAS_AT_ONCE: u64 = 4;
/// How long nothing may happen afterwards.
const REST_MS: u64 = 60_000;
/// How long what was sent before may take to arrive.
const SETTLE_MS: u64 = 5_000;
/// Events of one context of one node in a second of rest: rounds, beats, and what they wake.
const REST_EVENTS_PER_S: u64 = 8;

/// How far the recovery has come.
#[derive(Debug, Default)]
pub(crate) struct Recovery {
    began_ms: u64,
    deadline_ms: u64,
    /// The last writes of all, by where they were made.
    marks: BTreeMap<Spot, Option<ReplyTo>>,
    marked: BTreeMap<Spot, DeltaId>,
    events: u64,
    commits: u64,
    /// Those who must have everything.
    seated: BTreeSet<Spot>,
}

impl World {
    /// Faults stop.
    pub(crate) fn recover(&mut self) {
        self.phase = Phase::Recovery;
        self.trace.note(self.now_ms, 0, "recovery", &[]);
        self.network.nature = Links::healthy();
        self.choose_core();
        for node in 0..self.settings.nodes {
            // Whom most clocks contradict may not write, and that is for people to mend.
            let skew_ms = crate::world::skew(&mut self.dice, 500);
            self.set_clock(node, skew_ms);
            match self.core.contains(&node) {
                true => self.mend(node),
                false => self.abandon(node),
            }
        }
        self.recovery.began_ms = self.now_ms;
        self.recovery.deadline_ms = self.now_ms + self.bound_ms();
        for spot in self.core_spots() {
            self.after(3_000, Event::Mark { spot });
        }
        self.after(2_000, Event::Converged);
    }

    fn bound_ms(&self) -> u64 {
        let skew_ms = self.settings.skew_ms;
        let unsure = skew_ms > MAX_AHEAD_MS / 2 || self.settings.clock_steps.happens();
        let clocks_ms = if unsure { 4 * skew_ms + 700_000 } else { 0 };
        let malice_ms = if self.settings.malice.every_ms > 0 { 400_000 } else { 0 };
        let commit_ms = self.settings.disk.sync_ms + self.settings.disk.write_ms + 100;
        let backlog = self.tally.count("most deltas in a context");
        let at_once = DELTAS_AT_ONCE.min(self.settings.bounds.deltas_per_step as u64).max(1);
        BOUND_MS + clocks_ms + malice_ms + backlog * commit_ms / at_once
    }

    fn choose_core(&mut self) {
        if !self.settings.core_only.happens() {
            return;
        }
        self.tally.hit("runs in which only a core recovers");
        let size = self.dice.index(self.settings.nodes - 2) + 2;
        while self.core.len() > size {
            let at = self.dice.index(self.core.len());
            self.core.remove(at);
        }
        self.include_founding();
    }

    /// Somebody in the core knows who may do what, or else nobody there could ever do anything.
    fn include_founding(&mut self) {
        for context in 0..self.settings.contexts {
            let knows = |node: &usize| self.knows_founding(Spot { node: *node, context });
            if !self.core.iter().any(knows) {
                let other = (0..self.settings.nodes).find(knows);
                self.core.extend(other);
                self.core.sort_unstable();
            }
        }
    }

    pub(crate) fn core_spots(&self) -> Vec<Spot> {
        self.spots().into_iter().filter(|spot| self.core.contains(&spot.node)).collect()
    }

    fn mend(&mut self, node: usize) {
        for other in self.core.clone() {
            self.network.set(node, other, Passage::Open);
            self.network.set(other, node, Passage::Open);
            if other != node {
                self.meet(node, other);
            }
        }
    }

    fn abandon(&mut self, node: usize) {
        let (inward, outward) = match self.dice.below(4) {
            0 => (Passage::Cut, Passage::Cut),
            1 => (Passage::Cut, Passage::Open),
            2 => (Passage::HalfOpen, Passage::HalfOpen),
            _ => {
                self.go_down(node, Reboot::Crash);
                (Passage::Cut, Passage::Cut)
            }
        };
        for core in self.core.clone() {
            self.network.set(node, core, inward);
            self.network.set(core, node, outward);
        }
    }

    /// Writes, once, on top of all that a node has: whatever it applied, others must apply too.
    pub(crate) fn mark(&mut self, spot: Spot) {
        if self.phase != Phase::Recovery {
            return;
        }
        self.after(5_000, Event::Mark { spot });
        let assembly = self.assembly(spot.context);
        let is_marked = self.recovery.marked.contains_key(&spot);
        // Keys are handed on before a write, so that some write is needed.
        if !self.may_write(&assembly, spot) || (is_marked && self.lacks_key(&assembly).is_none()) {
            return;
        }
        let waits = self.recovery.marks.get(&spot).copied().flatten();
        if waits.is_some_and(|to| self.ledger.open.contains_key(&to)) {
            return;
        }
        let name = format!("mark of {}", spot.node);
        let Ok(value) = Value::new(&self.now_ms.to_le_bytes()) else { return };
        let edits = vec![Edit::Put(key(&name), value)];
        let reply = self.ledger.next_reply();
        self.recovery.marks.insert(spot, Some(reply));
        let asked = self.request(spot, Request { id: None, edits, conditions: Vec::new() });
        if asked.is_none() {
            self.recovery.marks.insert(spot, None);
        }
    }

    /// Takes note if this answers a mark.
    pub(crate) fn marked(&mut self, spot: Spot, to: ReplyTo, delta: DeltaId) {
        if self.recovery.marks.get(&spot).copied().flatten() == Some(to) {
            self.recovery.marked.insert(spot, delta);
        }
    }

    /// Looks whether everybody has caught up.
    pub(crate) fn look_for_convergence(&mut self) {
        let behind = self.behind();
        let Err(why) = behind else {
            self.begin_rest();
            return;
        };
        if self.now_ms > self.recovery.deadline_ms {
            let rule = if self.settings.core_only.happens() { "Q3" } else { "Q1" };
            let waited_s = (self.now_ms - self.recovery.began_ms) / 1_000;
            let what = format!("not converged after {waited_s} s: {why}");
            self.fail(None, Violation::new(rule, what));
            return;
        }
        self.after(2_000, Event::Converged);
    }

    fn behind(&self) -> Result<(), String> {
        self.core_spots().iter().try_for_each(|spot| self.busy(*spot))?;
        for context in 0..self.settings.contexts {
            let assembly = self.assembly(context);
            let marked = |spot: &Spot| self.recovery.marked.contains_key(spot);
            let writers = assembly.members.iter().filter(|spot| self.may_write(&assembly, **spot));
            if let Some(spot) = writers.clone().find(|spot| !marked(spot)) {
                return Err(format!("{spot:?} could not write"));
            }
            self.disagrees(&assembly)?;
            match self.settings.is_uneven() {
                true => assembly.all().try_for_each(|spot| self.lacks_due(spot))?,
                false => self.differs(&assembly)?,
            }
            if let Some((spot, epoch)) = self.lacks_key(&assembly) {
                return Err(format!("{spot:?} is not given the key of {epoch:?}"));
            }
        }
        Ok(())
    }

    /// All store the same.
    fn differs(&self, assembly: &Assembly) -> Result<(), String> {
        let mut images =
            assembly.all().filter_map(|spot| Some((spot, self.stored(spot)?, self.image(spot)?)));
        let Some((first, reference, image)) = images.next() else { return Ok(()) };
        match images.find(|(_, stored, _)| *stored != reference) {
            Some((spot, _, other)) => Err(difference(first, image, spot, other)),
            None => Ok(()),
        }
    }

    /// What a running node stores, as far as it counts.
    fn stored(&self, spot: Spot) -> Option<Vector> {
        let process = self.nodes.get(spot.node)?.running()?;
        Some(process.cells.get(spot.context)?.replica.stored())
    }

    /// A node has settled whatever another had when it wrote its mark. What nobody cites may be
    /// taken by some and refused by others, and so may what is cited beyond all bounds.
    fn lacks_due(&self, spot: Spot) -> Result<(), String> {
        let Some(image) = self.image(spot).filter(|_| !self.settings.malice.flood.happens()) else {
            return Ok(());
        };
        let law = Law::of(self.cast.context(spot.context), image);
        // A right that was conferred beyond a cut-off is known to who wrote under it, and to nobody else.
        let beyond = |by: &Spot, mark: &DeltaId| {
            let Some(theirs) = self.image(*by) else { return false };
            let Some(delta) = Deltas::rows(theirs).get(mark) else { return false };
            let laws = [&law, &Law::of(self.cast.context(spot.context), theirs)];
            let reaches = laws.map(|law| law.reach(&delta.tip()));
            reaches.iter().any(|reach| matches!(reach, Reach::Beyond | Reach::Kept))
        };
        let marks = self.recovery.marked.iter().filter(|(by, _)| by.context == spot.context);
        for (by, mark) in marks {
            let place = Places::rows(image).get(mark);
            if !place.is_some_and(|place| place.status.is_settled()) && !beyond(by, mark) {
                let theirs = self.image(*by).unwrap_or(image);
                return Err(difference(*by, theirs, spot, image));
            }
        }
        Ok(())
    }

    fn busy(&self, spot: Spot) -> Result<(), String> {
        let node = self.nodes.get(spot.node);
        let cell = node.and_then(|node| node.running()?.cells.get(spot.context));
        let Some(cell) = cell else { return Err(format!("{spot:?} does not run")) };
        if cell.replica.is_rebuilding()
            || !cell.replica.is_idle()
            || !matches!(cell.flight, Flight::None)
        {
            return Err(format!("{spot:?} is busy"));
        }
        if cell.replica.is_tending() {
            return Err(format!("{spot:?} may yet hand on keys"));
        }
        let soon_ms = self.wall_ms(spot.node) + MAX_AHEAD_MS + 24 * 3_600_000;
        let Some(image) = self.image(spot) else { return Ok(()) };
        let soon = |(cause, _): &(Cause, DeltaId)| matches!(cause, Cause::Clock(hlc) if hlc.ms() < soon_ms);
        if Waiting::rows(image).keys().any(soon) {
            return Err(format!("{spot:?} waits for a clock"));
        }
        if Outbox::rows(image).keys().any(|id| !self.ledger.is_published(spot, *id)) {
            return Err(format!("{spot:?} has something to publish"));
        }
        Ok(())
    }

    fn begin_rest(&mut self) {
        let took_ms = self.now_ms - self.recovery.began_ms;
        self.tally.most("most ms to converge", took_ms);
        let contexts = 0..self.settings.contexts;
        let seated = contexts.flat_map(|context| self.assembly(context).all().collect::<Vec<_>>());
        self.recovery.seated = seated.collect();
        // What is on its way may still come.
        self.phase = Phase::Settling;
        self.after(SETTLE_MS, Event::Rest);
    }

    /// Whether these are among those who must have everything.
    pub(crate) fn are_seated(&self, spots: &[Spot]) -> bool {
        spots.iter().all(|spot| self.recovery.seated.contains(spot))
    }

    /// One part of the rest is over.
    pub(crate) fn rest(&mut self) {
        if self.phase != Phase::Settling {
            return self.end_rest();
        }
        self.phase = Phase::Rest;
        self.recovery.events = self.trace.events();
        self.recovery.commits = self.tally.count("commits");
        self.after(REST_MS, Event::Rest);
    }

    /// The rest is over: nothing may have happened, and everything must be as it should.
    fn end_rest(&mut self) {
        self.check_rest();
        self.check_ledgers();
        for spot in self.core_spots() {
            let wall_ms = self.wall_ms(spot.node);
            let moment = Moment::Still { wall_ms };
            let checked = self
                .check_image(spot, moment)
                .and_then(|()| self.check_fold(spot, moment))
                .and_then(|()| oracle::check_acked(self, spot))
                .and_then(|()| self.ledger.check_answered(spot.node));
            self.demand(spot.node, checked);
            self.check_voided(spot);
            let memory = self.nodes.get(spot.node).map(|node| node.memory).unwrap_or_default();
            if memory > 0 {
                self.tally.hit("nodes that forgot and caught up");
            }
        }
        for context in 0..self.settings.contexts {
            let assembly = self.assembly(context);
            assembly.members.iter().for_each(|spot| self.check_parked(*spot));
            if !self.settings.is_uneven() {
                self.check_agreed(&assembly);
            }
            self.tally.add("members at the end", assembly.members.len() as u64);
            self.tally.add("replicas at the end", assembly.replicas.len() as u64);
            self.tally.add("nodes that are no members at the end", assembly.others.len() as u64);
            self.check_same(&assembly);
            self.check_once(&assembly);
        }
        self.tally.hit("runs");
        self.phase = Phase::Over;
    }

    fn check_rest(&mut self) {
        let spots = (self.settings.nodes * self.settings.contexts) as u64;
        // What is refused for good is offered again with every round.
        let offers = if self.settings.is_uneven() { 20 } else { 1 };
        let most = spots * spots * REST_EVENTS_PER_S * offers * (REST_MS / 1_000);
        let events = self.trace.events() - self.recovery.events;
        if events > most {
            self.fail(None, Violation::new("R2", format!("{events} events in a minute of rest")));
        }
        let commits = self.tally.count("commits") - self.recovery.commits;
        let sent = self.tally.count("deltas sent at rest");
        // Who is no member may have what the members do not know of yet.
        let strangers = self.core_spots().iter().any(|spot| !self.are_seated(&[*spot]));
        if strangers {
            return;
        }
        if !self.settings.is_uneven() && !self.settings.core_only.happens() && commits + sent > 0 {
            let what = format!("{commits} commits and {sent} deliveries after convergence");
            self.fail(None, Violation::new("Q2", what));
        }
    }

    /// Nothing waits for ever if everything that was ever written is still somewhere.
    fn check_parked(&mut self, spot: Spot) {
        let lost = self.nodes.iter().any(|node| node.memory > 0);
        let excused =
            lost || self.settings.malice.every_ms > 0 || self.settings.core_only.happens();
        let image = self.image(spot).filter(|_| !excused);
        let waits = image.and_then(|image| Waiting::rows(image).keys().next().copied());
        if let Some((cause, delta)) = waits {
            let what = format!("{delta:?} waits for what never comes: {cause:?}");
            self.fail(Some(spot.node), Violation::new("Q2", what));
        }
    }

    /// S5: everybody shows the same.
    fn check_same(&mut self, assembly: &Assembly) {
        let here = assembly.members.iter();
        let states = here.filter_map(|spot| Some((spot.node, State::stored(self.image(*spot)?))));
        let states = states.collect::<Vec<_>>();
        let Some(((_, first), others)) = states.split_first() else { return };
        if self.settings.is_uneven() {
            return;
        }
        if let Some((node, other)) = others.iter().find(|(_, other)| other != first) {
            let what = format!("two nodes show different things: {}", other.difference(first));
            self.fail(Some(*node), Violation::new("S5", what));
        }
    }

    /// S7: a request with an id is in one delta, unless its node forgot that it had written it.
    fn check_once(&mut self, assembly: &Assembly) {
        let Some(Spot { node, context }) = assembly.members.first().copied() else { return };
        let Self { nodes, cast, payloads, epochs, .. } = self;
        let image = nodes.get(node).and_then(|node| node.store.written(context));
        let Some(image) = image else { return };
        let forgot = |author| {
            cast.node(author).and_then(|at| nodes.get(at)).is_none_or(|node| node.memory > 0)
        };
        let mut once: BTreeSet<String> = BTreeSet::new();
        let mut twice = None;
        for id in applied(image) {
            let delta = Deltas::rows(image).get(&id);
            let Some(delta) = delta.filter(|delta| !forgot(delta.log().author)) else { continue };
            let Opened::Payload(payload) = payloads.open(delta, epochs) else {
                continue;
            };
            let named = payload.events().filter(|event| event.name.starts_with("client-"));
            let found = named.map(|event| event.name.clone()).find(|it| !once.insert(it.clone()));
            twice = twice.or(found);
        }
        if let Some(name) = twice {
            self.fail(Some(node), Violation::new("S7", format!("request {name} happened twice")));
        }
    }
}

fn applied(image: &Memory) -> BTreeSet<DeltaId> {
    let places = Places::rows(image).iter();
    let counts = places.filter(|(_, place)| matches!(place.status, Status::Applied { .. }));
    counts.map(|(id, _)| *id).collect()
}

/// What one has and the other lacks, for whoever reads of a failure.
fn difference(first: Spot, image: &Memory, spot: Spot, other: &Memory) -> String {
    let (ours, theirs) = (Places::rows(image), Places::rows(other));
    let only = |has: &BTreeMap<_, _>, lacks: &BTreeMap<_, _>| {
        has.keys().filter(|id: &&DeltaId| !lacks.contains_key(*id)).count()
    };
    let apart = ours.iter().find_map(|(id, place)| {
        let status = theirs.get(id).map(|place| &place.status);
        let same = match (status, &place.status) {
            (Some(Status::Parked { .. }), Status::Parked { .. }) => true,
            (Some(status), other) => status.is_settled() == other.is_settled(),
            (None, _) => false,
        };
        (!same).then(|| format!("{id:?} of seq {} is {:?} and {status:?}", place.seq, place.status))
    });
    format!(
        "{first:?} has {} that {spot:?} lacks, which has {} more; {}",
        only(ours, theirs),
        only(theirs, ours),
        apart.unwrap_or_default()
    )
}
