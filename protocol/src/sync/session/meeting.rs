//! How two sides meet: they greet each other, and find out which logs differ and where these end.

use super::{Ending, Pair, Said, Session, Side, Stage, takes_part};
use crate::id::Plane;
use crate::log::Vector;
use crate::replica::Replica;
use crate::sync::compare::{End, Lens, Line, differing, groups_for};
use crate::sync::message::{FRAME_BYTES, Hello, Message, Refused};
use crate::sync::round::{Round, Senseless};
use crate::view::{Logs, Places, View};

/// Bytes of messages that tell of logs: what does not fit is left for the next session.
const TELLING_BYTES: u64 = FRAME_BYTES / 2;

impl Session {
    pub(super) fn hello(&self, replica: &Replica) -> Hello {
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

    pub(super) fn greet(&mut self, theirs: &Hello, replica: &Replica, said: &mut Vec<Said>) {
        let Pair { context, us, them } = self.pair;
        let known = theirs.tag == Hello::tag(context)
            && theirs.proof == Hello::proof(context, them, us, &theirs.nonce);
        if !known || !matches!(self.stage, Stage::Greeting) {
            return self.end(Ending::Gave(Refused::UnknownContext), said);
        }
        let ours = self.hello(replica);
        if self.side == Side::Answerer {
            self.shown = ours.stored;
        }
        said.extend(agreed(replica, &theirs.governance));
        if self.shown == theirs.stored && self.side == Side::Answerer {
            said.push(Said::Send(Message::Equal));
            return self.end(Ending::Equal, said);
        }
        let [opener, answerer] = match self.side {
            Side::Opener => [&self.nonce, &theirs.nonce],
            Side::Answerer => [&theirs.nonce, &self.nonce],
        };
        self.lens = Some(Lens::new(context, opener, answerer));
        self.their_logs = theirs.logs;
        let [governance, _] = [0, 1].map(|at| self.shown.get(at) == theirs.stored.get(at));
        self.stage = Stage::Before(if governance { Plane::Data } else { Plane::Governance });
        if self.side == Side::Answerer {
            said.push(Said::Send(Message::Hello(Box::new(ours))));
        }
    }

    pub(super) fn equal(&mut self, said: &mut Vec<Said>) -> Result<(), Senseless> {
        match (&self.stage, self.side) {
            (Stage::Greeting, Side::Opener) => {
                said.push(Said::Agreed);
                self.end(Ending::Equal, said);
                Ok(())
            }
            _ => Err(Senseless),
        }
    }

    pub(super) fn defer(&mut self, message: Message) -> Result<(), Senseless> {
        let expected = self.side == Side::Opener && self.deferred.is_none();
        if !expected || matches!(self.stage, Stage::Greeting) {
            return Err(Senseless);
        }
        self.deferred = Some(message);
        Ok(())
    }

    /// Whether the other side may be shown anything of a plane.
    fn may_see(&self, plane: Plane, replica: &Replica) -> bool {
        let them = self.pair.them;
        plane == Plane::Governance
            || takes_part(them, replica)
            || replica.roster().authorities().any(|(_, member)| member == them)
    }

    /// The logs of a plane that both sides may know of. Who is no member any more may still have
    /// something of its own that counts, and is shown nothing else.
    fn shared(&self, plane: Plane, replica: &Replica, view: &impl View) -> Vector {
        let Pair { us, them, .. } = self.pair;
        let [we_do, they_do] = [us, them].map(|peer| takes_part(peer, replica));
        let mut logs = of_plane(&replica.stored(), plane);
        logs.0.retain(|log, tips| {
            // What is not durable yet is not shown.
            if tips.iter().any(|(_, id)| view.get::<Places>(id).is_none()) {
                let row = view.get::<Logs>(log).unwrap_or_default();
                *tips = row.stored.as_slice().to_vec();
            }
            let visible = plane == Plane::Governance
                || (they_do || log.author == them) && (we_do || log.author == us);
            visible && !tips.is_empty()
        });
        logs
    }

    fn begin(&self, plane: Plane, groups: usize, ours: Vector) -> Option<Round> {
        Some(Round::new(self.lens.clone()?, ours, plane, groups))
    }

    /// The answerer begins to compare.
    fn show_groups(
        &mut self,
        plane: Plane,
        (replica, view): (&Replica, &impl View),
        said: &mut Vec<Said>,
    ) {
        let [governance, data] = self.their_logs;
        let theirs = if plane == Plane::Governance { governance } else { data };
        let ours = self.shared(plane, replica, view);
        let groups = groups_for(ours.0.len(), usize::try_from(theirs).unwrap_or(usize::MAX));
        let Some(round) = self.begin(plane, groups, ours) else { return };
        let governance = replica.governance().digest();
        let digests = round.outline.digests();
        said.push(Said::Send(Message::Groups { plane, governance, digests }));
        self.stage = Stage::Comparing(round);
    }

    /// The opener tells of the groups that differ.
    fn show_lines(
        &mut self,
        message: &Message,
        (replica, view): (&Replica, &impl View),
        said: &mut Vec<Said>,
    ) {
        let Message::Groups { plane, governance, digests } = message else { return };
        if !matches!(self.stage, Stage::Before(expected) if expected == *plane) {
            return self.end(Ending::Gave(Refused::Protocol), said);
        }
        if !self.may_see(*plane, replica) {
            return self.end(Ending::Gave(Refused::NotAMember), said);
        }
        said.extend(agreed(replica, governance));
        let ours = self.shared(*plane, replica, view);
        let Some(round) = self.begin(*plane, digests.len(), ours) else { return };
        let mut groups = differing(&round.outline.digests(), digests);
        let mut lines = round.outline.lines(&groups);
        // Names and digests of 7 bytes, numbers of 2.
        while (7 * lines.len() + 2 * groups.len()) as u64 > TELLING_BYTES {
            groups.truncate(groups.len() / 2);
            lines = round.outline.lines(&groups);
        }
        let (plane, governance) = (*plane, replica.governance().digest());
        said.push(Said::Send(Message::Lines { plane, governance, groups, lines }));
        self.stage = Stage::Comparing(round);
    }

    /// The answerer tells where the logs end that differ.
    pub(super) fn lines(
        &mut self,
        plane: Plane,
        groups: &[u16],
        lines: &[Line],
        said: &mut Vec<Said>,
    ) -> Result<(), Senseless> {
        let (Stage::Comparing(round), Side::Answerer) = (&mut self.stage, self.side) else {
            return Err(Senseless);
        };
        if round.plane != plane || std::mem::replace(&mut round.has_told, true) {
            return Err(Senseless);
        }
        let found = round.outline.compare(groups, lines);
        let ours = found.ours.iter().map(|log| round.outline.end(log, false));
        let only_ours = found.only_ours.iter().map(|log| round.outline.end(log, true));
        let unknown = found.unknown.iter();
        let unknown = unknown.map(|name| End { name: *name, hint: None, tips: Vec::new() });
        let ends = told(ours.chain(only_ours).chain(unknown).collect());
        said.push(Said::Send(Message::Ends { plane, ends }));
        Ok(())
    }

    /// Learns where logs end that differ.
    pub(super) fn ends(
        &mut self,
        plane: Plane,
        ends: Vec<End>,
        (replica, view): (&Replica, &impl View),
        said: &mut Vec<Said>,
    ) -> Result<(), Senseless> {
        let Stage::Comparing(mut round) = std::mem::replace(&mut self.stage, Stage::Over) else {
            return Err(Senseless);
        };
        if round.plane != plane {
            return Err(Senseless);
        }
        let ahead = round.learn(ends, replica, view);
        if self.side == Side::Opener {
            said.push(Said::Send(Message::Ends { plane, ends: told(ahead) }));
        }
        self.stage = Stage::Trading(round);
        said.push(Said::Offered(plane));
        Ok(())
    }

    /// Begins the next comparison.
    pub(super) fn compare_next(
        &mut self,
        replica: &Replica,
        view: &impl View,
        said: &mut Vec<Said>,
    ) {
        let Stage::Before(plane) = self.stage else { return };
        match (self.side, self.deferred.take()) {
            (Side::Opener, Some(groups)) => self.show_lines(&groups, (replica, view), said),
            (Side::Answerer, _) if self.may_see(plane, replica) => {
                self.show_groups(plane, (replica, view), said);
            }
            (Side::Answerer, _) => self.end(Ending::Gave(Refused::NotAMember), said),
            (Side::Opener, None) => {}
        }
    }
}

/// As many as are told of in one session, ascending.
fn told(mut ends: Vec<End>) -> Vec<End> {
    let mut bytes = 0;
    ends.retain(|end| {
        bytes += 20 + 18 * end.tips.len() as u64;
        bytes <= TELLING_BYTES
    });
    ends.sort_by_key(|end| end.name);
    ends
}

fn of_plane(vector: &Vector, plane: Plane) -> Vector {
    let logs = vector.0.iter().filter(|(log, _)| log.plane == plane);
    Vector(logs.map(|(log, tips)| (*log, tips.clone())).collect())
}

pub(super) fn agreed(replica: &Replica, theirs: &[u8; 32]) -> Option<Said> {
    (replica.governance().digest() == *theirs).then_some(Said::Agreed)
}
