//! Who is asked for what, and for how many bytes at once.

use super::routine::{Asked, RESCUE_MS, Routine, STEP_MS};
use super::{Desk, Link, Step};
use crate::delta::Delta;
use crate::id::{LogId, Plane, Seq};
use crate::planted::Bug;
use crate::replica::Replica;
use crate::sync::ledger::Offence;
use crate::sync::message::Refused;
use crate::sync::round::{Gift, Offer, Share, Span};
use crate::sync::session::takes_part;
use crate::sync::work::MOST_BRANCHED;
use crate::view::{Places, View};

/// So many places that are not worth asking for any more are asked back.
const MUCH: u64 = 256;
/// Wants of one session at once: while one is on its way, the next is made.
const WANTS: usize = 2;

impl Desk {
    /// A session has told what it offers.
    pub(super) fn learn<V>(&mut self, link: Link, step: &Step<'_, V>) {
        let Some(routine) = self.sessions.get_mut(&link) else { return };
        let Some((Plane::Data, offers)) = routine.session.offers() else { return };
        let offers: Vec<Offer> = offers.collect();
        for offer in &offers {
            routine.note(offer);
        }
        for offer in &offers {
            self.consider(link, offer, step);
            // What is held by now may be what had come early was waiting for.
            if let Some(log) = &offer.log {
                self.hand.release(&mut self.work, log);
            }
        }
    }

    /// Takes an offer down, unless it is of branches of a log of which something was turned away: all
    /// of them would come, so they are asked for ever more rarely.
    fn consider<V>(&mut self, link: Link, offer: &Offer, step: &Step<'_, V>) {
        let full = offer.log.filter(|log| step.replica.turned_away(log).is_some());
        let branches = full.filter(|_| offer.span == Span::Branches);
        let mut is_over = |log| self.crowded.entry(log).or_default().is_over(step.now_ms);
        match branches.filter(|log| !is_over(*log)) {
            None => self.work.offer(link, offer),
            Some(log) => self.work.decline(link, &log),
        }
    }

    /// Deltas came that had been asked for.
    /// Says whether any of them is new.
    pub(super) fn got<V: View>(
        &mut self,
        link: Link,
        deltas: Vec<Delta>,
        step: &Step<'_, V>,
    ) -> bool {
        let Some(routine) = self.sessions.get(&link) else { return false };
        let peer = routine.peer;
        if deltas.is_empty() {
            return false;
        }
        let governs = deltas.iter().all(|delta| delta.log().plane == Plane::Governance);
        let new = match governs {
            true => {
                let held = |delta: &&Delta| step.view.get::<Places>(&delta.id()).is_some();
                let new = deltas.iter().filter(|delta| !held(delta)).count();
                self.hand.put(link, peer, deltas);
                new
            }
            false => self.hand.sort(&mut self.work, link, peer, deltas),
        };
        if new > 0 {
            self.peers.prove(peer);
        }
        new > 0
    }

    /// What was asked for was given, as far as it was. Who lacks what it has shown is not relied on any
    /// further in this session: what else it shows may rest on that.
    pub(super) fn given<V: View>(&mut self, link: Link, gift: &Gift, step: &mut Step<'_, V>) {
        let Some(routine) = self.sessions.get_mut(&link) else { return };
        let Some(asked) = routine.wants.remove(&gift.number) else { return };
        let (peer, is_relieved) = (routine.peer, routine.is_relieved);
        if routine.wants.is_empty() {
            routine.is_relieved = false;
        }
        let mut withheld = false;
        for Asked { name, log, span } in asked {
            let Some(log) = log else { continue };
            if gift.apart.contains(&name) {
                let offer = Offer { name, log: Some(log), span: Span::Branches };
                self.consider(link, &offer, step);
                continue;
            }
            let frayed = self.sessions.get(&link).is_some_and(|it| it.session.is_frayed(&log));
            withheld |= self.work.given(link, &log, span, frayed);
        }
        if withheld && !is_relieved {
            // What a later program wrote was given, and could not be taken.
            if !self.sessions.get(&link).is_some_and(|it| it.session.met_later()) {
                self.record(peer, Offence::Withheld);
            }
            self.give_up(link, None, step);
        }
    }

    /// Asks nobody for more of a log of which something was turned away, but for that itself: there may
    /// be room for it by now, or it may be another branch.
    pub(super) fn hold_back<V: View>(&mut self, step: &mut Step<'_, V>) {
        let is_crowded = step.replica.is_crowded();
        if !std::mem::replace(&mut self.is_crowded, is_crowded) && !is_crowded {
            return;
        }
        // What was let in at last may be turned away again at once: how often that was is remembered.
        self.crowded.retain(|log, pause| {
            step.replica.turned_away(log).is_some() || pause.is_on(step.now_ms)
        });
        let limit = |log: &LogId| step.replica.worth_asking(log).map(Seq::get);
        let beyond = self.work.limit(limit);
        self.hand.drop_useless(&self.work);
        // What is on its way comes with what is good, so little of it is let come.
        let much = beyond.into_iter().filter(|(_, places)| *places >= MUCH);
        for link in much.map(|(link, _)| link).collect::<Vec<_>>() {
            self.relieve(link, step);
        }
    }

    /// Asks others for what somebody was asked for who gives no sign of life, if they have it and are
    /// not in the same state.
    pub(super) fn rescue<V: View>(&mut self, step: &mut Step<'_, V>) {
        if self.config.planted.has(Bug::NoRescue) {
            return;
        }
        let late = |routine: &Routine| routine.is_late(RESCUE_MS, step.now_ms);
        let (stuck, able): (Vec<_>, Vec<_>) =
            self.sessions.iter().partition(|(_, routine)| late(routine));
        let stuck = stuck.into_iter().filter(|(_, it)| it.session.is_waiting() && !it.is_relieved);
        let stuck: Vec<_> = stuck.map(|(link, _)| *link).collect();
        let able: Vec<_> = able.into_iter().map(|(link, _)| *link).collect();
        for link in stuck {
            let governs =
                self.governs(link) && able.iter().any(|other| self.offers_governance(*other));
            if governs {
                self.governing = None;
            }
            if governs || able.iter().any(|other| self.work.could_rescue(*other, link)) {
                self.relieve(link, step);
            }
        }
        self.unblock(step);
    }

    /// What is next in a log may have nobody to give it, because all who have it have sent as much of
    /// what follows as there is room for. One of them is asked for less then.
    fn unblock<V: View>(&mut self, step: &mut Step<'_, V>) {
        let is_blocked = |(link, routine): &(&Link, &Routine)| {
            routine.session.is_waiting()
                && routine.session.unused_credit() == 0
                && !self.work.is_in_turn(**link)
                && self.work.could_go_on(**link)
        };
        if self.sessions.values().any(|routine| routine.is_relieved && !routine.session.is_owed()) {
            return;
        }
        let blocked = self.sessions.iter().find(is_blocked).map(|(link, _)| *link);
        if let Some(link) = blocked {
            self.relieve(link, step);
        }
    }

    /// Asks a session for nothing any more, for the time being.
    fn relieve<V: View>(&mut self, link: Link, step: &mut Step<'_, V>) {
        self.work.take_back(link);
        let Some(routine) = self.sessions.get_mut(&link) else { return };
        routine.is_relieved = true;
        let cancelled = routine.session.cancel();
        self.carry_out(link, cancelled, step);
    }

    fn offers_governance(&self, link: Link) -> bool {
        let offers = self.sessions.get(&link).and_then(|routine| routine.session.offers());
        offers.is_some_and(|(plane, mut offers)| {
            plane == Plane::Governance && offers.next().is_some()
        })
    }

    /// Asks every session for what it can give next, or says that nothing more is wanted.
    pub(super) fn assign<V: View>(&mut self, step: &mut Step<'_, V>) {
        let links: Vec<_> = self.sessions.keys().copied().collect();
        for link in links {
            let offers = self.sessions.get(&link).and_then(|routine| routine.session.offers());
            match offers.map(|(plane, _)| plane) {
                Some(Plane::Governance) => self.ask_for_governance(link, step),
                Some(Plane::Data) => self.ask_for_data(link, step),
                None => {}
            }
            self.renew_credit(link, step);
        }
    }

    fn ask_for_governance<V: View>(&mut self, link: Link, step: &mut Step<'_, V>) {
        let Some(routine) = self.sessions.get_mut(&link) else { return };
        // Whoever is slow about it is asked on, and others as well.
        let taken = self.governing.is_some_and(|(governing, since_ms)| {
            governing != link && since_ms + STEP_MS > step.now_ms
        });
        if routine.session.is_waiting() {
            return;
        }
        routine.session.recheck(step.view);
        let Some((_, offers)) = routine.session.offers() else { return };
        let open = offers.filter(|offer| routine.governance.get(&offer.name) != Some(&offer.span));
        let (mut open, branches): (Vec<_>, Vec<_>) =
            open.partition(|offer| offer.span != Span::Branches);
        open.extend(branches.into_iter().take(MOST_BRANCHED));
        let worth = |offer: &Offer| worth_asking(offer, step.replica);
        let shares: Vec<_> = open.iter().filter_map(worth).collect();
        if shares.is_empty() {
            if self.governs(link) {
                self.governing = None;
            }
            let Some(routine) = self.sessions.get_mut(&link) else { return };
            let mut said = Vec::new();
            routine.session.be_sated(&mut said);
            said.extend(routine.session.go_on(step.is_calm, step.replica, step.view));
            return self.carry_out(link, said, step);
        }
        if !taken {
            self.governing = Some((link, step.now_ms));
            routine.governance.extend(open.iter().map(|offer| (offer.name, offer.span)));
            self.want(link, shares, step);
        }
    }

    fn ask_for_data<V: View>(&mut self, link: Link, step: &mut Step<'_, V>) {
        loop {
            let Some(routine) = self.sessions.get(&link) else { return };
            let proven =
                self.peers.is_proven(routine.peer) || self.config.planted.has(Bug::NoProbe);
            let room = self.config.room;
            let (most, places) = if proven { (WANTS, room.places) } else { (1, room.probe_places) };
            if routine.wants.len() >= most || routine.is_relieved {
                return;
            }
            let shares = self.work.take(link, places);
            if shares.is_empty() {
                break;
            }
            self.want(link, shares, step);
        }
        let Some(routine) = self.sessions.get_mut(&link) else { return };
        if !routine.session.is_waiting() && !self.work.concerns(link) {
            let mut said = Vec::new();
            routine.session.be_sated(&mut said);
            said.extend(routine.session.go_on(step.is_calm, step.replica, step.view));
            self.carry_out(link, said, step);
        }
    }

    fn want<V: View>(&mut self, link: Link, shares: Vec<Share>, step: &mut Step<'_, V>) {
        let credit = self.credit_for(link, step);
        let Some(routine) = self.sessions.get_mut(&link) else { return };
        let asked = routine.asked(&shares);
        let mut said = Vec::new();
        let number = routine.session.want(shares, credit, step.view, &mut said);
        if let Some(number) = number.filter(|_| !self.config.planted.has(Bug::ForgetWants)) {
            routine.wants.insert(number, asked);
        }
        self.carry_out(link, said, step);
    }

    /// How many more bytes a session may send: as many as fill its window, as far as there is room.
    fn credit_for<V>(&self, link: Link, step: &Step<'_, V>) -> u32 {
        let Some(routine) = self.sessions.get(&link) else { return 0 };
        let room = self.config.room;
        let lavish = routine.session.unused_credit() < 8 * room.window;
        if self.config.planted.has(Bug::UnboundedCredit) && lavish {
            return u32::try_from(room.window).unwrap_or(u32::MAX);
        }
        let window = if self.peers.is_proven(routine.peer) { room.window } else { room.probe };
        let under_way = routine.session.unused_credit() + self.hand.bytes_of(link);
        let mut bytes = window.saturating_sub(under_way);
        bytes = bytes.min(room.bytes.saturating_sub(self.reserved()));
        // What is next is always let in, so that the rest finds its turn.
        let in_turn = self.governs(link) || self.work.is_in_turn(link);
        let is_dry = routine.session.unused_credit() == 0 && self.hand.is_empty();
        if bytes == 0 && in_turn && is_dry {
            bytes = room.probe;
        }
        if !takes_part(routine.peer, step.replica) {
            bytes = bytes.min(room.stranger.saturating_sub(routine.session.granted()));
        }
        if bytes > 0 {
            bytes += routine.session.overdrawn();
        }
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }

    /// Lets a session send more once a good part of what it was allowed to send has been dealt with.
    fn renew_credit<V: View>(&mut self, link: Link, step: &mut Step<'_, V>) {
        let Some(routine) = self.sessions.get(&link) else { return };
        if !routine.session.is_waiting() {
            return;
        }
        let unused = routine.session.unused_credit();
        let bytes = self.credit_for(link, step);
        let worth_it = u64::from(bytes) >= self.config.room.window / 4 || unused == 0;
        let is_stranger = !takes_part(routine.peer, step.replica);
        if bytes > 0 && worth_it {
            let Some(routine) = self.sessions.get_mut(&link) else { return };
            let granted = routine.session.grant(bytes);
            return self.carry_out(link, vec![granted], step);
        }
        if is_stranger && unused == 0 && routine.session.granted() >= self.config.room.stranger {
            let Some(routine) = self.sessions.get_mut(&link) else { return };
            let said = routine.session.give_up(Refused::NotAMember);
            self.carry_out(link, said, step);
        }
    }
}

/// What of an offer of governance is worth asking for.
fn worth_asking(offer: &Offer, replica: &Replica) -> Option<Share> {
    let Offer { name, log, span } = *offer;
    let last = log.and_then(|log| replica.worth_asking(&log)).map(Seq::get);
    let span = match (span, last) {
        (Span::Row { after, until }, Some(last)) => Span::Row { after, until: until.min(last) },
        (Span::Branches, Some(_)) => return None,
        (span, None) => span,
    };
    let is_empty = matches!(span, Span::Row { after, until } if after >= until);
    (!is_empty).then_some(Share { name, span })
}
