//! All sessions of one context at one desk: with whom they begin, what each is asked for, when a peer
//! has been waited for long enough, and how much may be on its way.
//!
//! One desk a context, a machine like the context itself: stepped by events, its deadlines are data.
//! Every session has a [`Link`], a number that is never used again, and what comes late from an old
//! one is for nobody. Governance is asked of one peer at a time; of the data each is asked for a part.
//! What was asked for and did not come is asked of another: after two seconds of silence if another
//! has it, when the session ends in any case. A peer that owes something for ten seconds is left alone
//! for a while, its connection is not touched. Slow is no offence, as long as something comes; and
//! while this node has given no credit, nobody owes it anything.

mod hand;
mod peers;
mod routine;
mod trade;

use std::collections::BTreeMap;

use hand::Hand;
use peers::{Pause, Peers};
use routine::Routine;
pub use routine::{IDLE_MS, RESCUE_MS, STEP_MS};

use super::chain::Broken;
use super::ledger::{Ledger, Offence};
use super::message::{Message, NONCE_BYTES, Refused};
use super::session::{Ending, Pair, Said, Session, takes_part};
use super::work::{Link, Work};
use crate::delta::Delta;
use crate::id::{ContextId, LogId, PeerId};
use crate::planted::{Bug, Planted};
use crate::replica::{Entropy, Replica};
use crate::view::View;
use crate::wire::Malformed;

/// Sessions that this node begins, at once.
const MOST_OPENED: usize = 4;
/// Sessions that others begin, at once; one more is told to come back.
const MOST_ANSWERED: usize = 8;
/// After how long who was told so may come back.
const BUSY_MS: u64 = 1_000;
/// A session that is due waits so long for this node to have seen to all it was given.
const PUT_OFF_MS: u64 = 1_000;

/// So much of a frame is a sign of life.
pub const PART_BYTES: usize = 4 * 1024;

/// How much may be on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes that may be on their way to this node, or wait here for their turn, beside one delta.
    pub bytes: u64,
    /// Of these, those that one peer may send without being given credit again.
    pub window: u64,
    /// The same for a peer that has not given anything yet.
    pub probe: u64,
    /// Places of logs that a peer is asked for at once.
    pub places: u64,
    /// The same for a peer that has not given anything yet.
    pub probe_places: u64,
    /// Bytes of governance that one session may bring from somebody who is no member.
    pub stranger: u64,
    /// How far apart the times are at which somebody is asked in any case, at least and at most.
    pub round_ms: (u64, u64),
}

impl Default for Room {
    fn default() -> Self {
        Self {
            bytes: 16 * 1024 * 1024,
            window: 4 * 1024 * 1024,
            probe: 64 * 1024,
            places: 16_384,
            probe_places: 64,
            stranger: 4 * 1024 * 1024,
            round_ms: (10_000, 60_000),
        }
    }
}

/// What a desk is given when it is made.
#[derive(Debug, Clone)]
pub struct Config {
    /// The context.
    pub context: ContextId,
    /// This node.
    pub us: PeerId,
    /// How much may be on its way.
    pub room: Room,
    /// Bugs, in tests of tests.
    pub planted: Planted,
}

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// A peer can be reached.
    Met(PeerId),
    /// A peer cannot be reached any more.
    Lost(PeerId),
    /// Something is lacking, which this peer should have, or somebody.
    Wanted(Option<PeerId>),
    /// A peer has begun a session; the desk answers in the same step, over this link.
    Accepted(PeerId, Link),
    /// A message came, in its frame.
    Heard(Link, Vec<u8>),
    /// Another [`PART_BYTES`] of a frame have come that is not whole yet.
    Part(Link),
    /// The stream of a session has taken all that was said in it.
    Sent(Link),
    /// The stream of a session has ended.
    Closed(Link),
    /// The replica has gone on, or the time that was asked for has come.
    Moved,
}

/// Something to be done.
#[derive(Debug)]
pub enum Action {
    /// Open a stream to a peer, for this session.
    Open(PeerId, Link),
    /// Send a message to the other side of a session.
    Send(Link, Message),
    /// Close the stream of a session, once all is sent that was to be.
    Close(Link),
    /// Give the replica deltas, in this order.
    Deliver(PeerId, Vec<Delta>),
    /// Note that a session has ended by what was said in it.
    Ended(PeerId, Ending),
    /// Tell the replica that a comparison of governance with this peer ended without a difference.
    Agreed(PeerId),
    /// Note that a peer holds, or says, what only a later program understands.
    Later(PeerId),
    /// End the connection to a peer: no honest node does what it did.
    Disconnect(PeerId),
}

/// The desk of one context.
#[derive(Debug)]
pub struct Desk {
    config: Config,
    sessions: BTreeMap<Link, Routine>,
    peers: Peers,
    work: Work,
    hand: Hand,
    ledger: Ledger,
    /// Whose governance is being asked for.
    governing: Option<(Link, u64)>,
    last_link: u64,
    round_ms: Option<u64>,
    /// Whether something was turned away, as of the last event.
    is_crowded: bool,
    /// Logs of which branches were turned away, until when they are left alone.
    crowded: BTreeMap<LogId, Pause>,
    /// What was held when a session last began.
    held: Option<[u8; 32]>,
}

/// What a step has to look at.
struct Step<'a, V> {
    replica: &'a Replica,
    view: &'a V,
    now_ms: u64,
    /// Whether this node has seen to all it was given.
    is_calm: bool,
    actions: Vec<Action>,
}

impl Desk {
    /// A desk without sessions.
    pub fn new(config: Config) -> Self {
        Self {
            work: Work::new(config.planted.clone()),
            config,
            sessions: BTreeMap::new(),
            peers: Peers::default(),
            hand: Hand::default(),
            ledger: Ledger::default(),
            governing: None,
            last_link: 0,
            round_ms: None,
            is_crowded: false,
            crowded: BTreeMap::new(),
            held: None,
        }
    }

    /// A number for a session that a peer begins.
    pub const fn next_link(&mut self) -> Link {
        self.last_link += 1;
        Link(self.last_link)
    }

    /// What peers did that they should not have.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Whether a peer is left alone for a while.
    pub fn is_parked(&self, peer: PeerId, now_ms: u64) -> bool {
        self.peers.is_parked(peer, now_ms)
    }

    /// The sessions that are not over.
    pub fn links(&self) -> impl Iterator<Item = (Link, PeerId)> {
        self.sessions.iter().map(|(link, routine)| (*link, routine.peer))
    }

    /// Bytes that may be on their way, or wait for their turn.
    pub fn reserved(&self) -> u64 {
        let credit = self.sessions.values().map(|routine| routine.session.unused_credit());
        credit.sum::<u64>() + self.hand.bytes()
    }

    /// Places of logs that a session was asked for and has not given.
    pub fn leased(&self, link: Link) -> u64 {
        self.work.leased(link)
    }

    /// Whether no session is under way and nothing waits.
    pub fn is_at_rest(&self) -> bool {
        self.sessions.is_empty() && self.hand.is_empty() && self.work.is_empty()
    }

    /// What is wrong with its books, if anything is.
    pub fn fault(&self) -> Option<&'static str> {
        let is_asked = |link: Link| {
            let forgets = self.config.planted.has(Bug::ForgetWants);
            self.sessions.get(&link).is_some_and(|it| forgets || !it.wants.is_empty())
        };
        self.work.fault(is_asked)
    }

    /// Takes an event and says what follows. `now_ms` is of a clock that never goes back.
    pub fn handle<V: View>(
        &mut self,
        event: Event,
        now_ms: u64,
        entropy: &mut impl Entropy,
        (replica, view): (&Replica, &V),
    ) -> Vec<Action> {
        let is_calm = self.hand.is_empty() && replica.is_idle();
        let mut step = Step { replica, view, now_ms, is_calm, actions: Vec::new() };
        match event {
            Event::Met(peer) => self.peers.meet(peer, now_ms),
            Event::Lost(peer) => self.lose(peer, &mut step),
            Event::Wanted(from) => self.peers.want(from, now_ms, number(entropy)),
            Event::Accepted(peer, link) => self.accept(peer, link, &mut step, entropy),
            Event::Heard(link, frame) => self.hear(link, &frame, &mut step),
            Event::Part(link) => {
                if let Some(routine) = self.sessions.get_mut(&link) {
                    routine.read_part(now_ms);
                }
                return step.actions;
            }
            Event::Sent(link) => {
                if let Some(routine) = self.sessions.get_mut(&link) {
                    routine.session.sent();
                }
            }
            Event::Closed(link) => self.forget(link, &mut step),
            Event::Moved => {}
        }
        self.keep_deadlines(&mut step);
        self.go_on(&mut step);
        self.keep_rounds(now_ms, entropy);
        self.open_due(&mut step, entropy);
        self.hand_over(&mut step);
        step.actions
    }

    /// When an [`Event::Moved`] is wanted at the latest.
    pub fn wake_at_ms(&self, now_ms: u64) -> u64 {
        let sessions = self.sessions.values().map(|routine| routine.wake_at_ms(now_ms));
        let later = self.peers.wake_at_ms(now_ms);
        let blocked = (!self.peers.due(now_ms).is_empty()).then_some(now_ms + PUT_OFF_MS);
        let baton = self.governing.map(|(_, since_ms)| since_ms + STEP_MS);
        let baton = baton.filter(|at_ms| *at_ms > now_ms);
        let all = sessions.chain(later).chain(blocked).chain(baton).chain(self.round_ms);
        all.min().unwrap_or(u64::MAX).max(now_ms + 1)
    }

    fn pair(&self, them: PeerId) -> Pair {
        Pair { context: self.config.context, us: self.config.us, them }
    }

    fn lose<V: View>(&mut self, peer: PeerId, step: &mut Step<'_, V>) {
        let links = self.links_of(peer);
        for link in links {
            self.forget(link, step);
        }
        self.peers.lose(peer, step.now_ms);
    }

    fn links_of(&self, peer: PeerId) -> Vec<Link> {
        self.links().filter(|(_, of)| *of == peer).map(|(link, _)| link).collect()
    }

    fn accept<V: View>(
        &mut self,
        peer: PeerId,
        link: Link,
        step: &mut Step<'_, V>,
        entropy: &mut impl Entropy,
    ) {
        // Whoever begins anew has given up what it began before.
        let before = |(_, routine): &(&Link, &Routine)| !routine.is_opened && routine.peer == peer;
        let before: Vec<_> = self.sessions.iter().filter(before).map(|(link, _)| *link).collect();
        for link in before {
            step.actions.push(Action::Close(link));
            self.forget(link, step);
        }
        self.make_room_for(peer, step);
        if self.sessions.values().filter(|it| !it.is_opened).count() >= MOST_ANSWERED {
            let busy = Message::Refused { why: Refused::Busy, retry_after_ms: Some(BUSY_MS) };
            step.actions.extend([Action::Send(link, busy), Action::Close(link)]);
            return;
        }
        let session = Session::answer(self.pair(peer), nonce(entropy));
        self.sessions.insert(link, Routine::new(peer, session, false, step.now_ms));
    }

    /// A session with a stranger ends if there is none left for a member.
    fn make_room_for<V: View>(&mut self, peer: PeerId, step: &mut Step<'_, V>) {
        let answered = || self.sessions.iter().filter(|(_, it)| !it.is_opened);
        if answered().count() < MOST_ANSWERED || !takes_part(peer, step.replica) {
            return;
        }
        let stranger = answered().find(|(_, it)| !takes_part(it.peer, step.replica));
        if let Some(link) = stranger.map(|(link, _)| *link) {
            self.give_up(link, None, step);
        }
    }

    fn hear<V: View>(&mut self, link: Link, frame: &[u8], step: &mut Step<'_, V>) {
        let Some(routine) = self.sessions.get_mut(&link) else { return };
        let peer = routine.peer;
        let is_calm = step.is_calm || routine.has_put_off(step.now_ms);
        routine.read_frame();
        let said = match Message::decode(frame) {
            Ok(Message::Refused { why: Refused::Busy, retry_after_ms }) => {
                let after_ms = retry_after_ms.unwrap_or(BUSY_MS).clamp(BUSY_MS, IDLE_MS);
                self.peers.put_off(peer, step.now_ms + after_ms);
                vec![Said::Over(Ending::Refused(Refused::Busy))]
            }
            Ok(message) => {
                if !matches!(message, Message::Credit { .. } | Message::Cancel { .. }) {
                    routine.speak(step.now_ms);
                }
                routine.session.on(message, is_calm, step.replica, step.view)
            }
            Err(Malformed::Unknown { .. }) => routine.session.part(),
            Err(_) => routine.session.give_up(Refused::Protocol),
        };
        self.carry_out(link, said, step);
    }

    /// Does what a session wants done.
    fn carry_out<V: View>(&mut self, link: Link, said: Vec<Said>, step: &mut Step<'_, V>) {
        let Some(routine) = self.sessions.get_mut(&link) else { return };
        let peer = routine.peer;
        routine.keep_time(routine::moved(&said), step.now_ms);
        for said in said {
            match said {
                Said::Send(message) => {
                    let moves = matches!(message, Message::Batch { .. } | Message::Want { .. });
                    if let Some(routine) = self.sessions.get_mut(&link).filter(|_| moves) {
                        routine.speak(step.now_ms);
                    }
                    step.actions.push(Action::Send(link, message));
                }
                Said::Offered(_) => self.learn(link, step),
                Said::Got(deltas) => {
                    let is_new = self.got(link, deltas, step);
                    if let Some(routine) = self.sessions.get_mut(&link) {
                        routine.keep_time(is_new, step.now_ms);
                    }
                }
                Said::Given(gift) => self.given(link, &gift, step),
                Said::Agreed => step.actions.push(Action::Agreed(peer)),
                Said::Unasked => self.record(peer, Offence::Unasked),
                Said::Later => step.actions.push(Action::Later(peer)),
                Said::Over(ending) => self.finish(link, ending, step),
            }
        }
    }

    /// A session has ended by what was said in it.
    fn finish<V: View>(&mut self, link: Link, ending: Ending, step: &mut Step<'_, V>) {
        let Some(routine) = self.sessions.get(&link) else { return };
        let peer = routine.peer;
        let offence = match ending {
            Ending::Broken(Broken::Unreadable | Broken::Elsewhere | Broken::Unsigned) => {
                Some(Offence::Forged)
            }
            Ending::Gave(Refused::Protocol) => Some(Offence::Senseless),
            Ending::Gave(_) | Ending::Refused(_) | Ending::Equal | Ending::Done | Ending::Later => {
                None
            }
        };
        if matches!(ending, Ending::Later) {
            step.actions.push(Action::Later(peer));
        }
        if self.config.planted.has(Bug::BlameOthers) && matches!(ending, Ending::Gave(_)) {
            self.record(peer, Offence::Senseless);
        }
        step.actions.extend([Action::Close(link), Action::Ended(peer, ending)]);
        if let Some(offence) = offence {
            self.record(peer, offence);
            self.peers.park(peer, step.now_ms);
            if offence.ends_connection() {
                step.actions.push(Action::Disconnect(peer));
            }
        }
        self.forget(link, step);
    }

    /// A session is over; what it was asked for waits again.
    fn forget<V: View>(&mut self, link: Link, step: &mut Step<'_, V>) {
        let Some(routine) = self.sessions.remove(&link) else {
            if self.config.planted.has(Bug::IgnoreGenerations) {
                let live: Vec<_> = self.links().map(|(link, _)| link).collect();
                self.work.end(link, &live);
            }
            return;
        };
        let others = self.links_of(routine.peer);
        self.work.end(link, &others);
        self.hand.drop_useless(&self.work);
        if self.governs(link) {
            self.governing = None;
        }
        // What was lacking is lacking still.
        if !routine.wants.is_empty() {
            self.peers.want(None, step.now_ms, step.now_ms);
        }
    }

    fn record(&mut self, peer: PeerId, offence: Offence) {
        if !self.config.planted.has(Bug::ForgiveAll) {
            self.ledger.record(peer, offence);
        }
    }

    /// Whether governance is being asked of a session.
    fn governs(&self, link: Link) -> bool {
        self.governing.is_some_and(|(governing, _)| governing == link)
    }

    /// Gives up on a session, for which the other side may be to blame.
    fn give_up<V: View>(&mut self, link: Link, offence: Option<Offence>, step: &mut Step<'_, V>) {
        let Some(routine) = self.sessions.get_mut(&link) else { return };
        let peer = routine.peer;
        let said = routine.session.give_up(Refused::Stopping);
        let told = said.into_iter().filter_map(|said| match said {
            Said::Send(message) => Some(Action::Send(link, message)),
            _ => None,
        });
        step.actions.extend(told);
        step.actions.push(Action::Close(link));
        if let Some(offence) = offence {
            self.record(peer, offence);
            if !self.config.planted.has(Bug::NoParking) {
                self.peers.park(peer, step.now_ms);
            }
        }
        self.forget(link, step);
    }

    fn keep_deadlines<V: View>(&mut self, step: &mut Step<'_, V>) {
        if self.config.planted.has(Bug::NoDeadline) {
            return;
        }
        let late = |(link, routine): (&Link, &Routine)| {
            let offence = routine.is_late(STEP_MS, step.now_ms).then_some(Offence::Silent);
            (offence.is_some() || routine.is_idle(step.now_ms)).then_some((*link, offence))
        };
        let late: Vec<_> = self.sessions.iter().filter_map(late).collect();
        for (link, offence) in late {
            self.give_up(link, offence, step);
        }
    }

    fn go_on<V: View>(&mut self, step: &mut Step<'_, V>) {
        let links: Vec<_> = self.sessions.keys().copied().collect();
        for link in links {
            let Some(routine) = self.sessions.get_mut(&link) else { continue };
            let is_calm = step.is_calm || routine.has_put_off(step.now_ms);
            let said = routine.session.go_on(is_calm, step.replica, step.view);
            self.carry_out(link, said, step);
        }
        self.hold_back(step);
        self.rescue(step);
        self.assign(step);
    }

    /// Somebody is asked from time to time, whatever is believed.
    fn keep_rounds(&mut self, now_ms: u64, entropy: &mut impl Entropy) {
        let (low, high) = self.config.room.round_ms;
        if self.round_ms.is_none_or(|at_ms| at_ms <= now_ms) {
            if self.round_ms.is_some() {
                self.peers.want_now(now_ms);
            }
            let more = number(entropy) % high.saturating_sub(low).saturating_add(1);
            self.round_ms = Some(now_ms + low + more);
        }
    }

    /// Begins the sessions that are due.
    fn open_due<V: View>(&mut self, step: &mut Step<'_, V>, entropy: &mut impl Entropy) {
        for peer in self.peers.due(step.now_ms) {
            let opened = self.sessions.values().filter(|it| it.is_opened).count();
            let ready = step.is_calm || self.peers.overdue_ms(peer, step.now_ms) >= PUT_OFF_MS;
            if opened >= MOST_OPENED || !ready || !self.links_of(peer).is_empty() {
                continue;
            }
            self.peers.begun(peer);
            let held = Some(step.replica.stored().digest());
            self.peers.note(self.held != held);
            self.held = held;
            let link = self.next_link();
            let (session, hello) = Session::open(self.pair(peer), nonce(entropy), step.replica);
            self.sessions.insert(link, Routine::new(peer, session, true, step.now_ms));
            step.actions.extend([Action::Open(peer, link), Action::Send(link, hello)]);
        }
    }

    /// Gives the replica what it has room for.
    fn hand_over<V>(&mut self, step: &mut Step<'_, V>) {
        let mut room = step.replica.room();
        let mut any = step.replica.is_idle();
        while let Some((from, deltas)) = self.hand.take(&mut room, any) {
            any = false;
            step.actions.push(Action::Deliver(from, deltas));
        }
    }
}

fn nonce(entropy: &mut impl Entropy) -> [u8; NONCE_BYTES] {
    let mut nonce = [0; NONCE_BYTES];
    entropy.fill(&mut nonce);
    nonce
}

fn number(entropy: &mut impl Entropy) -> u64 {
    let mut bytes = [0; 8];
    entropy.fill(&mut bytes);
    u64::from_le_bytes(bytes)
}
