//! One side of a session: what it says to what it hears, until both hold the same.
//!
//! It holds no deltas. What it sends it reads from what is durable, as much as the other side has given
//! credit for; what it receives goes to the replica once it is known to be authentic.

use std::collections::BTreeSet;

use super::chain::{Broken, Chain};
use super::compare::{End, Lens, Name, Outline, differing, groups_for};
use super::message::{Hello, Message, NONCE_BYTES, Refused};
use super::run::{self, Run, Runs, Spot};
use crate::delta::Delta;
use crate::id::{ContextId, LogId, PeerId, Plane};
use crate::log::Vector;
use crate::replica::Replica;
use crate::view::View;

/// Bytes of deltas that a side may send before it is given credit for more.
pub const WINDOW_BYTES: u64 = 4 * 1024 * 1024;
/// Bytes of one batch, unless its only delta is longer.
const BATCH_BYTES: usize = 128 * 1024;

/// What a session wants done.
#[derive(Debug)]
pub enum Said {
    /// A message to the other side.
    Send(Message),
    /// Authentic deltas, for the replica.
    Deliver(Vec<Delta>),
    /// The other side has the very same governance.
    Agreed,
    /// It is over.
    Over(Ending),
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Both sides held the same from the start.
    Equal,
    /// Each has sent what the other lacked.
    Done,
    /// The other side gave up.
    Refused(Refused),
    /// This side gave up.
    Gave(Refused),
    /// The other side sent what an honest one does not.
    Broken(Broken),
}

/// Which side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Opener,
    Answerer,
}

/// Who speaks to whom about what.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    /// The context.
    pub context: ContextId,
    /// This node.
    pub us: PeerId,
    /// The peer, as the link has proved.
    pub them: PeerId,
}

#[derive(Debug)]
enum Stage {
    /// Nothing of the other side is known.
    Greeting,
    /// A comparison is to begin once this node has seen to all it was given.
    Before(Plane),
    /// Which logs differ is being found out.
    Comparing(Round),
    /// Each side sends what the other lacks.
    Sending(Round),
    Over,
}

/// The comparison of one plane, and what comes of it.
#[derive(Debug)]
struct Round {
    plane: Plane,
    outline: Outline,
    ours: Vector,
    runs: Runs,
    queued: BTreeSet<Name>,
    /// Answers to locators that are still to come.
    awaited: usize,
    /// How often the other side has still to say that it is done, and this one: once, and once more
    /// for each locator.
    to_hear: usize,
    to_say: usize,
}

/// One side of a session.
#[derive(Debug)]
pub struct Session {
    pair: Pair,
    side: Side,
    nonce: [u8; NONCE_BYTES],
    lens: Option<Lens>,
    their_logs: [u32; 2],
    stage: Stage,
    /// What has to wait until this node has seen to all it was given.
    deferred: Option<Message>,
    chain: Chain,
    /// Bytes that may be sent.
    credit: u64,
    /// Bytes received for which no new credit was given.
    spent: u64,
}

impl Session {
    /// A side that begins, and what it says first.
    pub fn open(pair: Pair, nonce: [u8; NONCE_BYTES], replica: &Replica) -> (Self, Message) {
        let session = Self::new(pair, Side::Opener, nonce);
        let hello = session.hello(replica);
        (session, Message::Hello(Box::new(hello)))
    }

    /// A side that waits for the other to begin.
    pub fn answer(pair: Pair, nonce: [u8; NONCE_BYTES]) -> Self {
        Self::new(pair, Side::Answerer, nonce)
    }

    fn new(pair: Pair, side: Side, nonce: [u8; NONCE_BYTES]) -> Self {
        Self {
            pair,
            side,
            nonce,
            lens: None,
            their_logs: [0; 2],
            stage: Stage::Greeting,
            deferred: None,
            chain: Chain::default(),
            credit: WINDOW_BYTES,
            spent: 0,
        }
    }

    /// Whether nothing is to be said or heard any more.
    pub const fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// Takes a message.
    pub fn on(&mut self, message: Message, replica: &Replica, view: &impl View) -> Vec<Said> {
        let mut said = Vec::new();
        if self.is_over() {
            return said;
        }
        match message {
            Message::Hello(hello) => self.greet(&hello, replica, &mut said),
            Message::Equal => self.equal(&mut said),
            Message::Groups { .. } => self.defer(message, &mut said),
            Message::Lines { plane, governance, groups, lines } => {
                said.extend(agreed(replica, &governance));
                self.lines(plane, &groups, &lines, &mut said);
            }
            Message::Ends { plane, ends } => self.ends(plane, &ends, view, &mut said),
            Message::Locator { name, points } => self.locate(name, &points, view, &mut said),
            Message::Common { name, points } => self.meet(name, &points, view, &mut said),
            Message::Batch { deltas } => self.receive(&deltas, &mut said),
            Message::Credit { bytes } => self.credit = self.credit.saturating_add(bytes.into()),
            Message::Done { plane } => self.heard_done(plane, &mut said),
            Message::Refused { why, .. } => self.end(Ending::Refused(why), &mut said),
        }
        self.pump(replica, view, &mut said);
        said
    }

    /// Goes on where something has changed: the replica has seen to what it was given.
    pub fn go_on(&mut self, replica: &Replica, view: &impl View) -> Vec<Said> {
        let mut said = Vec::new();
        self.pump(replica, view, &mut said);
        said
    }

    fn end(&mut self, ending: Ending, said: &mut Vec<Said>) {
        if let Ending::Gave(why) = ending {
            said.push(Said::Send(Message::Refused { why, retry_after_ms: None }));
        }
        self.stage = Stage::Over;
        said.push(Said::Over(ending));
    }

    fn hello(&self, replica: &Replica) -> Hello {
        let Pair { context, us, them } = self.pair;
        let (stored, applied) = (replica.stored(), replica.applied());
        let planes = [Plane::Governance, Plane::Data].map(|plane| of_plane(&stored, plane));
        Hello {
            tag: Hello::tag(context),
            proof: Hello::proof(context, us, them, &self.nonce),
            nonce: self.nonce,
            logs: planes.clone().map(|it| u32::try_from(it.0.len()).unwrap_or(u32::MAX)),
            stored: planes.map(|it| it.digest()),
            governance: replica.governance().digest(),
            applied: applied.digest(),
        }
    }

    fn greet(&mut self, theirs: &Hello, replica: &Replica, said: &mut Vec<Said>) {
        let Pair { context, us, them } = self.pair;
        let known = theirs.tag == Hello::tag(context)
            && theirs.proof == Hello::proof(context, them, us, &theirs.nonce);
        if !known || !matches!(self.stage, Stage::Greeting) {
            return self.end(Ending::Gave(Refused::UnknownContext), said);
        }
        let ours = self.hello(replica);
        said.extend(agreed(replica, &theirs.governance));
        if ours.stored == theirs.stored && self.side == Side::Answerer {
            said.push(Said::Send(Message::Equal));
            return self.end(Ending::Equal, said);
        }
        let [opener, answerer] = match self.side {
            Side::Opener => [&self.nonce, &theirs.nonce],
            Side::Answerer => [&theirs.nonce, &self.nonce],
        };
        self.lens = Some(Lens::new(context, opener, answerer));
        self.their_logs = theirs.logs;
        let [governance, _] = [0, 1].map(|at| ours.stored.get(at) == theirs.stored.get(at));
        self.stage = Stage::Before(if governance { Plane::Data } else { Plane::Governance });
        if self.side == Side::Answerer {
            said.push(Said::Send(Message::Hello(Box::new(ours))));
        }
    }

    fn equal(&mut self, said: &mut Vec<Said>) {
        match (&self.stage, self.side) {
            (Stage::Greeting, Side::Opener) => {
                said.push(Said::Agreed);
                self.end(Ending::Equal, said);
            }
            _ => self.end(Ending::Gave(Refused::Protocol), said),
        }
    }

    fn defer(&mut self, message: Message, said: &mut Vec<Said>) {
        let expected = self.side == Side::Opener && self.deferred.is_none();
        match expected && !matches!(self.stage, Stage::Greeting) {
            true => self.deferred = Some(message),
            false => self.end(Ending::Gave(Refused::Protocol), said),
        }
    }

    /// Whether the other side may be shown a plane.
    fn may_see(&self, plane: Plane, replica: &Replica) -> bool {
        let roster = replica.roster();
        let them = &self.pair.them;
        plane == Plane::Governance
            || roster.role(*them).is_some()
            || roster.replicas().contains(them)
    }

    fn begin(&self, plane: Plane, groups: usize, replica: &Replica) -> Option<Round> {
        let ours = of_plane(&replica.stored(), plane);
        let outline = Outline::new(self.lens.clone()?, &ours, plane, groups);
        let (runs, queued) = (Runs::default(), BTreeSet::new());
        Some(Round { plane, outline, ours, runs, queued, awaited: 0, to_hear: 1, to_say: 1 })
    }

    /// The answerer begins to compare.
    fn show_groups(&mut self, plane: Plane, replica: &Replica, said: &mut Vec<Said>) {
        let [governance, data] = self.their_logs;
        let theirs = if plane == Plane::Governance { governance } else { data };
        let ours = of_plane(&replica.stored(), plane).0.len();
        let groups = groups_for(ours, usize::try_from(theirs).unwrap_or(usize::MAX));
        let Some(round) = self.begin(plane, groups, replica) else { return };
        let governance = replica.governance().digest();
        let digests = round.outline.digests();
        said.push(Said::Send(Message::Groups { plane, governance, digests }));
        self.stage = Stage::Comparing(round);
    }

    /// The opener tells of the groups that differ.
    fn show_lines(&mut self, message: &Message, replica: &Replica, said: &mut Vec<Said>) {
        let Message::Groups { plane, governance, digests } = message else { return };
        let Stage::Before(expected) = self.stage else {
            return self.end(Ending::Gave(Refused::Protocol), said);
        };
        if expected != *plane {
            return self.end(Ending::Gave(Refused::Protocol), said);
        }
        if !self.may_see(*plane, replica) {
            return self.end(Ending::Gave(Refused::NotAMember), said);
        }
        said.extend(agreed(replica, governance));
        let Some(round) = self.begin(*plane, digests.len(), replica) else { return };
        let groups = differing(&round.outline.digests(), digests);
        let lines = round.outline.lines(&groups);
        let (plane, governance) = (*plane, replica.governance().digest());
        said.push(Said::Send(Message::Lines { plane, governance, groups, lines }));
        self.stage = Stage::Comparing(round);
    }

    /// The answerer tells where the logs end that differ.
    fn lines(
        &mut self,
        plane: Plane,
        groups: &[u16],
        lines: &[super::compare::Line],
        said: &mut Vec<Said>,
    ) {
        let (Stage::Comparing(round), Side::Answerer) = (&self.stage, self.side) else {
            return self.end(Ending::Gave(Refused::Protocol), said);
        };
        if round.plane != plane {
            return self.end(Ending::Gave(Refused::Protocol), said);
        }
        let found = round.outline.compare(groups, lines);
        let ours = found.ours.iter().map(|log| round.outline.end(log));
        let unknown = found.unknown.iter().map(|name| End { name: *name, tips: Vec::new() });
        let mut ends: Vec<_> = ours.chain(unknown).collect();
        ends.sort_by_key(|end| end.name);
        said.push(Said::Send(Message::Ends { plane, ends }));
    }

    /// Where logs end that differ: what the other side lacks of them is sent.
    fn ends(&mut self, plane: Plane, ends: &[End], view: &impl View, said: &mut Vec<Said>) {
        let (Some(lens), true) = (self.lens.clone(), matches!(self.stage, Stage::Comparing(_)))
        else {
            return self.end(Ending::Gave(Refused::Protocol), said);
        };
        let Stage::Comparing(mut round) = std::mem::replace(&mut self.stage, Stage::Over) else {
            return;
        };
        if round.plane != plane {
            return self.end(Ending::Gave(Refused::Protocol), said);
        }
        let (mut behind, mut locators) = (Vec::new(), Vec::new());
        for end in ends {
            let log = round.outline.log(end.name).copied();
            let held = log.map(|log| run::held(view, &lens, log, &end.tips)).unwrap_or_default();
            let all = held.len() == end.tips.len();
            if !all {
                behind.push(round.end(end.name));
            }
            let Some(log) = log else { continue };
            let last = round.tips(&log).last().map(|(seq, _)| *seq);
            let apart = end.tips.iter().any(|tip| Some(tip.seq) <= last) && !all;
            if all {
                round.queue(view, end.name, log, &held);
            } else if apart {
                let points = run::locator(view, &lens, round.tips(&log));
                locators.push(Message::Locator { name: end.name, points });
            }
        }
        if self.side == Side::Opener {
            said.push(Said::Send(Message::Ends { plane, ends: behind }));
        }
        round.awaited += locators.len();
        round.to_hear += locators.len();
        said.extend(locators.into_iter().map(Said::Send));
        self.stage = Stage::Sending(round);
    }

    fn locate(
        &mut self,
        name: Name,
        points: &[super::compare::Point],
        view: &impl View,
        said: &mut Vec<Said>,
    ) {
        let (Some(lens), Stage::Sending(round)) = (&self.lens, &mut self.stage) else {
            return self.end(Ending::Gave(Refused::Protocol), said);
        };
        let log = round.outline.log(name).copied();
        let held = log.map(|log| run::held(view, lens, log, points)).unwrap_or_default();
        let mut shared: Vec<_> = held.iter().map(|(seq, id)| lens.point(*seq, *id)).collect();
        shared.sort_unstable_by(|one, other| other.cmp(one));
        said.push(Said::Send(Message::Common { name, points: shared }));
        round.to_say += 1;
        if let Some(log) = log {
            round.queue(view, name, log, &held);
        }
    }

    fn meet(
        &mut self,
        name: Name,
        points: &[super::compare::Point],
        view: &impl View,
        said: &mut Vec<Said>,
    ) {
        let (Some(lens), Stage::Sending(round)) = (&self.lens, &mut self.stage) else {
            return self.end(Ending::Gave(Refused::Protocol), said);
        };
        let Some(awaited) = round.awaited.checked_sub(1) else {
            return self.end(Ending::Gave(Refused::Protocol), said);
        };
        round.awaited = awaited;
        if let Some(log) = round.outline.log(name).copied() {
            let held = run::held(view, lens, log, points);
            round.queue(view, name, log, &held);
        }
    }

    fn receive(&mut self, deltas: &[Vec<u8>], said: &mut Vec<Said>) {
        let stage = matches!(self.stage, Stage::Sending(_) | Stage::Comparing(_));
        self.spent += deltas.iter().map(|bytes| bytes.len() as u64).sum::<u64>();
        match self.chain.extend(self.pair.context, deltas) {
            _ if !stage || self.spent > 2 * WINDOW_BYTES => {
                self.end(Ending::Gave(Refused::Protocol), said);
            }
            Ok(authentic) if authentic.is_empty() => {}
            Ok(authentic) => said.push(Said::Deliver(authentic)),
            Err(why) => {
                let refused = Message::Refused { why: Refused::Protocol, retry_after_ms: None };
                said.push(Said::Send(refused));
                self.end(Ending::Broken(why), said);
            }
        }
    }

    fn heard_done(&mut self, plane: Plane, said: &mut Vec<Said>) {
        let (Stage::Sending(round) | Stage::Comparing(round)) = &mut self.stage else {
            return self.end(Ending::Gave(Refused::Protocol), said);
        };
        match round.to_hear.checked_sub(1) {
            Some(left) if round.plane == plane => round.to_hear = left,
            _ => self.end(Ending::Gave(Refused::Protocol), said),
        }
    }

    fn pump(&mut self, replica: &Replica, view: &impl View, said: &mut Vec<Said>) {
        self.renew_credit(replica, said);
        if replica.is_idle() {
            self.compare_next(replica, said);
        }
        self.send(view, said);
        let Stage::Sending(round) = &self.stage else { return };
        if round.to_say == 0 && round.to_hear == 0 && round.awaited == 0 {
            match round.plane {
                Plane::Governance => {
                    self.stage = Stage::Before(Plane::Data);
                    if replica.is_idle() {
                        self.compare_next(replica, said);
                    }
                }
                Plane::Data => self.end(Ending::Done, said),
            }
        }
    }

    /// Begins the next comparison.
    fn compare_next(&mut self, replica: &Replica, said: &mut Vec<Said>) {
        let Stage::Before(plane) = self.stage else { return };
        match (self.side, self.deferred.take()) {
            (Side::Opener, Some(groups)) => self.show_lines(&groups, replica, said),
            (Side::Answerer, _) if self.may_see(plane, replica) => {
                self.show_groups(plane, replica, said);
            }
            (Side::Answerer, _) => self.end(Ending::Gave(Refused::NotAMember), said),
            (Side::Opener, None) => {}
        }
    }

    /// New room for what was received, once this node has seen to it.
    fn renew_credit(&mut self, replica: &Replica, said: &mut Vec<Said>) {
        if self.spent >= WINDOW_BYTES / 4 && replica.is_idle() && !self.is_over() {
            let bytes = u32::try_from(self.spent).unwrap_or(u32::MAX);
            self.spent -= u64::from(bytes);
            said.push(Said::Send(Message::Credit { bytes }));
        }
    }

    fn send(&mut self, view: &impl View, said: &mut Vec<Said>) {
        let Stage::Sending(round) = &mut self.stage else { return };
        while self.credit > 0 && !round.runs.is_empty() {
            let room = usize::try_from(self.credit).unwrap_or(usize::MAX).min(BATCH_BYTES);
            let deltas = round.runs.next(view, room);
            if deltas.is_empty() {
                break;
            }
            let bytes = deltas.iter().map(|bytes| bytes.len() as u64).sum();
            self.credit = self.credit.saturating_sub(bytes);
            said.push(Said::Send(Message::Batch { deltas }));
        }
        if round.runs.is_empty() && round.awaited == 0 {
            let plane = round.plane;
            for _ in 0..std::mem::take(&mut round.to_say) {
                said.push(Said::Send(Message::Done { plane }));
            }
        }
    }
}

impl Round {
    fn tips(&self, log: &LogId) -> &[Spot] {
        self.ours.0.get(log).map(Vec::as_slice).unwrap_or_default()
    }

    fn end(&self, name: Name) -> End {
        match self.outline.log(name) {
            Some(log) => self.outline.end(log),
            None => End { name, tips: Vec::new() },
        }
    }

    /// What is lacking of a log, of which the other side holds these, is to be sent; once.
    fn queue(&mut self, view: &impl View, name: Name, log: LogId, held: &[Spot]) {
        if self.queued.insert(name)
            && let Some(run) = Run::lacking(view, log, self.tips(&log), held)
        {
            self.runs.push(view, run);
        }
    }
}

fn of_plane(vector: &Vector, plane: Plane) -> Vector {
    let logs = vector.0.iter().filter(|(log, _)| log.plane == plane);
    Vector(logs.map(|(log, tips)| (*log, tips.clone())).collect())
}

fn agreed(replica: &Replica, theirs: &[u8; 32]) -> Option<Said> {
    (replica.governance().digest() == *theirs).then_some(Said::Agreed)
}
