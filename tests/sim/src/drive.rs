//! Driving the machines: inputs in, commits to the store, effects out.
//!
//! Whatever leaves is compared with what is durable at that moment.

use mangrove_protocol::effect::{Commit, Effect, Effects, Held, Input, Note, Reborn, Refused};
use mangrove_protocol::graph::Cause;
use mangrove_protocol::id::DeltaId;
use mangrove_protocol::overlay::Layer;
use mangrove_protocol::replica::Durability;
use mangrove_protocol::replica::beat::Heartbeat;
use mangrove_protocol::sync::desk::Event as Occasion;

use crate::bug::Bug;
use crate::network::Frame;
use crate::node::{Flight, Node, Spot, State};
use crate::oracle;
use crate::store::{Proof, Ticket};
use crate::verdict::Violation;
use crate::world::{Event, World};

impl World {
    /// Gives a context of a running node something to see to.
    pub(crate) fn feed(&mut self, spot: Spot, input: Input) {
        let wall_ms = self.wall_ms(spot.node);
        let label = input_label(&input);
        self.trace.note(self.now_ms, spot.node, label, &[]);
        let Some(effects) = self.handle(spot, input, wall_ms) else { return };
        let Effects { commit, behind, now, wake_at_ms } = effects;
        for effect in now {
            self.perform(spot, effect);
        }
        self.hold_back(spot, behind);
        if let Some(commit) = commit {
            self.commit(spot, commit);
        }
        self.schedule_wake(spot, wake_at_ms);
        self.stir(spot);
        self.exit_if_done(spot.node);
        self.go_ahead(spot, wall_ms);
    }

    /// What derives from the last commit on its way is let out with it.
    fn hold_back(&mut self, spot: Spot, behind: Held) {
        let Some(cell) = self.nodes.get_mut(spot.node).and_then(|node| node.cell(spot.context))
        else {
            return;
        };
        match (&mut cell.ahead, &mut cell.flight) {
            (Some((Commit { held, .. }, _)), _)
            | (None, Flight::Asked { held, .. } | Flight::Written { held, .. }) => {
                held.join(behind);
            }
            // Then there is none of it.
            (None, Flight::None) => {}
        }
    }

    /// Where enough wait for the commit on its way, the next may be made.
    fn go_ahead(&mut self, spot: Spot, wall_ms: u64) {
        let cell = self.nodes.get_mut(spot.node).and_then(|node| node.cell(spot.context));
        let may = cell.is_some_and(|cell| cell.replica.may_go_ahead(wall_ms));
        if may && self.dice.chance(500) {
            self.feed(spot, Input::Ahead);
        }
    }

    fn handle(&mut self, spot: Spot, input: Input, wall_ms: u64) -> Option<Effects> {
        let Node { store, state, .. } = self.nodes.get_mut(spot.node)?;
        let State::Up(process) = state else { return None };
        let view = store.written(spot.context)?;
        let cell = process.cells.get_mut(spot.context)?;
        cell.begun = true;
        let dice = &mut process.entropy;
        let mut entropy = |bytes: &mut [u8]| dice.fill(bytes);
        Some(match &cell.flight {
            Flight::Asked { batch, .. } => {
                let view = Layer::new(view, batch);
                cell.replica.handle(input, wall_ms, &mut entropy, &view)
            }
            Flight::None | Flight::Written { .. } => {
                cell.replica.handle(input, wall_ms, &mut entropy, view)
            }
        })
    }

    fn schedule_wake(&mut self, spot: Spot, wake_at_ms: Option<u64>) {
        let wall_ms = self.wall_ms(spot.node);
        let Some(node) = self.nodes.get_mut(spot.node) else { return };
        let life = node.life;
        let Some(cell) = node.cell(spot.context) else { return };
        let after_ms = wake_at_ms.map(|at_ms| at_ms.saturating_sub(wall_ms));
        let at_ms = after_ms.map(|after_ms| self.now_ms + after_ms);
        if cell.wake_at_ms == at_ms {
            return;
        }
        cell.wake_at_ms = at_ms;
        if let Some(after_ms) = after_ms {
            self.after(after_ms, Event::Wake { spot, life });
        }
    }

    /// A wake-up call, unless it was called off.
    pub(crate) fn wake(&mut self, spot: Spot) {
        let now_ms = self.now_ms;
        let cell = self.nodes.get_mut(spot.node).and_then(|node| node.cell(spot.context));
        if let Some(cell) = cell
            && cell.wake_at_ms == Some(now_ms)
        {
            cell.wake_at_ms = None;
            self.tally.hit("wake-ups");
            self.feed(spot, Input::Tick);
        }
    }

    fn commit(&mut self, spot: Spot, commit: Commit) {
        self.tally.hit("commits");
        let made_ms = self.wall_ms(spot.node);
        let cell = self.nodes.get_mut(spot.node).and_then(|node| node.cell(spot.context));
        let Some(cell) = cell else { return };
        if matches!(cell.flight, Flight::None) {
            return self.fly(spot, commit, made_ms);
        }
        if cell.ahead.replace((commit, made_ms)).is_some() {
            self.fail(Some(spot.node), Violation::new("R1", "three commits in flight"));
        }
        self.tally.hit("commits made ahead");
    }

    /// A commit is on its way to the disk.
    fn fly(&mut self, spot: Spot, Commit { batch, must_sync, held }: Commit, made_ms: u64) {
        let checked = oracle::step::check(self, spot, &batch, made_ms);
        self.demand(spot.node, checked);
        let after_ms = self.dice.below(self.settings.disk.write_ms + 1);
        let unheard = self.bug == Some(Bug::CleanForEver);
        let Some(node) = self.nodes.get_mut(spot.node) else { return };
        let life = node.life;
        let Some(cell) = node.cell(spot.context) else { return };
        cell.flight = Flight::Asked { batch: Box::new(batch), held };
        cell.must_sync = must_sync && !unheard;
        self.after(after_ms, Event::Write { spot, life });
    }

    /// The disk takes a batch.
    pub(crate) fn write(&mut self, spot: Spot) {
        let Some(node) = self.nodes.get_mut(spot.node) else { return };
        let mut durability = node.durability;
        let Some(cell) = node.cell(spot.context) else { return };
        if cell.must_sync {
            durability = Durability::Fsync;
        }
        let Flight::Asked { batch, held } = std::mem::take(&mut cell.flight) else { return };
        let Some(node) = self.nodes.get_mut(spot.node) else { return };
        let ticket = node.store.write(spot.context, *batch);
        let proof = node.store.buffered();
        let Some(cell) = node.cell(spot.context) else { return };
        cell.flight = Flight::Written { ticket, held };
        let checked = oracle::step::check_written(self, spot);
        self.demand(spot.node, checked);
        match (durability, proof) {
            (Durability::Buffered, Some(proof)) => self.land(spot, ticket, &proof),
            (Durability::Buffered, None) => {}
            (Durability::Fsync, proof) => {
                if let Some(proof) = proof.filter(|_| self.bug == Some(Bug::AckBeforeSync)) {
                    self.release_early(spot, &proof);
                }
                self.sync(spot.node);
            }
        }
    }

    /// What derives from a written commit gets out at once, as it may not.
    fn release_early(&mut self, spot: Spot, proof: &Proof) {
        let cell = self.nodes.get_mut(spot.node).and_then(|node| node.cell(spot.context));
        let Some(Flight::Written { held, .. }) = cell.map(|cell| &mut cell.flight) else { return };
        let held = std::mem::take(held);
        self.release(spot, held, proof);
    }

    /// Begins a sync of all that is written, unless one is under way.
    fn sync(&mut self, at: usize) {
        let after_ms = self.dice.between(1, self.settings.disk.sync_ms);
        let Some(node) = self.nodes.get_mut(at) else { return };
        let (life, until) = (node.life, node.store.unsynced());
        let Some(process) = node.process() else { return };
        if process.syncing.is_some() {
            return;
        }
        process.syncing = until;
        if let Some(until) = until {
            self.after(after_ms, Event::Synced { node: at, life, until });
        }
    }

    /// A sync has ended, one way or the other.
    pub(crate) fn synced(&mut self, at: usize, until: Ticket) {
        if self.sync_fails() {
            self.poison(at);
            return;
        }
        let Some(node) = self.nodes.get_mut(at) else { return };
        if let Some(process) = node.process() {
            process.syncing = None;
        }
        let Some(proof) = node.store.sync(until) else { return };
        let buffered = node.durability == Durability::Buffered;
        for context in 0..self.settings.contexts {
            self.land(Spot { node: at, context }, until, &proof);
        }
        if !buffered {
            self.sync(at);
        }
    }

    /// Syncs what nobody waits for.
    pub(crate) fn flush(&mut self, at: usize) {
        self.sync(at);
        let Some(life) = self.nodes.get(at).map(|node| node.life) else { return };
        self.after(self.settings.disk.flush_ms, Event::Flush { node: at, life });
    }

    /// A commit is durable if it is not after this one: what it holds gets out, and the next may
    /// follow.
    fn land(&mut self, spot: Spot, until: Ticket, proof: &Proof) {
        let cell = self.nodes.get_mut(spot.node).and_then(|node| node.cell(spot.context));
        let Some(cell) = cell else { return };
        let held = match &mut cell.flight {
            Flight::Written { ticket, held } if *ticket <= until => std::mem::take(held),
            _ => return,
        };
        cell.flight = Flight::None;
        cell.must_sync = false;
        self.release(spot, held, proof);
        let cell = self.nodes.get_mut(spot.node).and_then(|node| node.cell(spot.context));
        if let Some((commit, made_ms)) = cell.and_then(|cell| cell.ahead.take()) {
            self.fly(spot, commit, made_ms);
        }
        self.feed(spot, Input::Committed);
    }

    fn release(&mut self, spot: Spot, held: Held, proof: &Proof) {
        let effects = held.release(proof);
        self.ledger.begin_release();
        for effect in effects {
            self.perform(spot, effect);
        }
        let image = self.nodes.get(spot.node).and_then(|node| node.durable(spot.context));
        let checked = self.ledger.check_versions(image);
        self.demand(spot.node, checked);
    }

    fn perform(&mut self, spot: Spot, effect: Effect) {
        match effect {
            Effect::Publish(delta) => {
                self.trace.note(self.now_ms, spot.node, "publish", delta.id().as_bytes());
                let checked = oracle::leave::publish(self, spot, &delta);
                self.demand(spot.node, checked);
                self.tally.hit("deltas published");
                self.spread(spot, &Frame::Gossip(delta.bytes().clone()));
                self.soon_published(spot, delta.id());
            }
            Effect::Beat(beat) => self.beat(spot, beat),
            Effect::Notify { position, item } => {
                self.trace.note(self.now_ms, spot.node, "notify", &position.to_le_bytes());
                let checked = oracle::leave::notify(self, spot, position, &item);
                self.demand(spot.node, checked);
            }
            Effect::Reply { to, answer } => self.answered(spot, to, answer),
            Effect::Fetch { wanted, from } => {
                self.trace.note(self.now_ms, spot.node, "fetch", wanted.id.as_bytes());
                self.tally.hit("fetches");
                self.soon(0, spot, Occasion::Wanted(from));
            }
            Effect::Sync { with } => {
                self.trace.note(self.now_ms, spot.node, "sync", with.as_bytes());
                self.soon(0, spot, Occasion::Wanted(Some(with)));
            }
            Effect::Decided { to, answer } => self.decided(spot, to, answer),
            Effect::Note(note) => self.noted(spot, &note),
        }
    }

    fn beat(&mut self, spot: Spot, beat: Heartbeat) {
        let root = beat.root.map(|root| root.tag).unwrap_or_default();
        self.trace.note(self.now_ms, spot.node, "beat", &root);
        let checked = oracle::leave::beat(self, spot, &beat);
        self.demand(spot.node, checked);
        self.tally.hit("heartbeats");
        self.spread(spot, &Frame::Beat(beat));
    }

    fn soon_published(&mut self, spot: Spot, delta: DeltaId) {
        let after_ms = self.dice.below(50);
        let Some(life) = self.nodes.get(spot.node).map(|node| node.life) else { return };
        self.after(after_ms, Event::Published { spot, life, deltas: vec![delta] });
    }

    pub(crate) fn confirm_published(&mut self, spot: Spot, deltas: Vec<DeltaId>) {
        self.feed(spot, Input::Published(deltas));
    }

    fn noted(&mut self, spot: Spot, note: &Note) {
        let (label, about) = note_label(note);
        self.trace.note(self.now_ms, spot.node, label, about.as_bytes());
        self.tally.hit(label);
        match note {
            Note::Diverged { with } if self.cast.node(*with).is_some() => {
                let what = "a node that settled the same deltas shows another root";
                self.fail(Some(spot.node), Violation::new("S5", what));
            }
            Note::Refused { delta, why, .. } => {
                let checked = oracle::rights::turns_away(self, *delta, *why);
                self.demand(spot.node, checked);
            }
            Note::Damaged { delta } => {
                let what = format!("{delta:?} reads as damaged in a store that damages nothing");
                self.fail(Some(spot.node), Violation::new("B5", what));
            }
            _ => {}
        }
    }

    /// What confirmations of a node stand on.
    pub(crate) fn image(&self, spot: Spot) -> Option<&mangrove_protocol::view::Memory> {
        self.nodes.get(spot.node)?.durable(spot.context)
    }
}

const fn input_label(input: &Input) -> &'static str {
    match input {
        Input::Write { .. } => "> write",
        Input::Deltas { .. } => "> deltas",
        Input::Committed => "> committed",
        Input::Ahead => "> ahead",
        Input::Published(_) => "> published",
        Input::Heartbeat { .. } => "> heartbeat",
        Input::Key(_) => "> key",
        Input::Decide { .. } => "> decide",
        Input::Agreed { .. } => "> agreed",
        Input::Joined { .. } => "> joined",
        Input::Rebuild => "> rebuild",
        Input::Tick => "> tick",
        Input::Stop => "> stop",
    }
}

fn note_label(note: &Note) -> (&'static str, DeltaId) {
    match note {
        Note::Refused { delta, why, .. } => (refusal_label(*why), *delta),
        Note::Forked { tip } => ("forks noticed", tip.id),
        Note::Parked { delta, cause } => match cause {
            Cause::Parent(_) => ("parked: parent", *delta),
            Cause::Key(_) => ("parked: key", *delta),
            Cause::Clock(_) => ("parked: clock", *delta),
            Cause::Version => ("parked: version", *delta),
        },
        Note::Incarnation { why, .. } => match why {
            Reborn::First => ("incarnation: first", DeltaId::ZERO),
            Reborn::Unclean => ("incarnation: unclean", DeltaId::ZERO),
            Reborn::RolledBack => ("incarnation: rolled back", DeltaId::ZERO),
            Reborn::Authority => ("incarnation: another role", DeltaId::ZERO),
            Reborn::Closed => ("incarnation: closed", DeltaId::ZERO),
            Reborn::Waiting => ("incarnation: the one before waits", DeltaId::ZERO),
        },
        Note::Epoch { new } => ("epochs begun to write", DeltaId::from_bytes(*new.as_bytes())),
        Note::Diverged { .. } => ("divergence noted", DeltaId::ZERO),
        Note::Damaged { delta } => ("damage noted", *delta),
        Note::NotHandedOn { .. } => ("keys not handed on", DeltaId::ZERO),
    }
}

const fn refusal_label(why: Refused) -> &'static str {
    match why {
        Refused::WrongContext => "refused: wrong context",
        Refused::Stranger => "refused: stranger",
        Refused::CutOff => "refused: cut off",
        Refused::TooMuchGovernance => "refused: too much governance",
        Refused::NotContinuing => "refused: not continuing",
        Refused::Loose => "refused: loose",
        Refused::ParkingFull => "refused: parking full",
        Refused::TooManyTips => "refused: too many tips",
        Refused::TooManyLogs => "refused: too many logs",
        _ => "refused: otherwise",
    }
}
