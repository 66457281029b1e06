//! What becomes of what is heard.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use mangrove_network::{Heard, Judge, News, Opinion};
use mangrove_protocol::delta::Delta;
use mangrove_protocol::enlist::Call;
use mangrove_protocol::gossip::{Accepted, Body, Ignored, Rights, Signed, Topic, Verdict, name};
use mangrove_protocol::id::{ContextId, PeerId};
use mangrove_protocol::machine::Verdict as Fate;
use mangrove_protocol::machine::{Machine, Turn};
use mangrove_store::Reader;
use tokio::task::spawn_blocking;

use super::check::{Bench, Found, Judged};
use super::ingress::Message;
use super::missing::Missing;
use super::recent::Recent;
use crate::context;
use crate::directory::{Directory, Entry};
use crate::drive::{self, Begun, Clock};
use crate::enlist::{Listener, Pace};
use crate::inbox::Posted;
use crate::metrics::Intake as Metrics;

/// Batches of messages that are judged at a time.
const BATCHES: usize = 2;
/// Messages of one of them.
const BATCH: usize = 64;
/// Messages that wait to be judged. The network lets no more be on their way than its settings say, which is
/// less.
const WAITING: usize = 65_536;
/// A message that is no longer than this is judged in passing, if it comes alone: to hand it to another thread and
/// back would take longer than to judge it. One in a millisecond is, so that this thread has time for all else.
pub(super) const ALONE_BYTES: usize = 16 << 10;
/// After how long somebody is told again who had no room.
const AGAIN_MS: u64 = 50;
/// Calls for replicas that one peer hands on at once, and how long it is until the next.
const HANDED_ON: (u64, u64) = (32, 250);
/// Calls of one caller at once, and how long it is until the next. Each is said every few seconds.
const CALLS: (u64, u64) = (16, 500);
/// Peers that are remembered to be where contexts meet.
const MOST_THERE: usize = 65_536;

/// The machine of the state-delta actor.
#[derive(Debug)]
pub(crate) struct Intake {
    directory: Directory,
    pub(super) recent: Arc<Recent>,
    waiting: VecDeque<Heard>,
    judging: usize,
    /// When a message was judged in passing last.
    passed_ms: u64,
    missing: Missing,
    /// Who is where, as far as whoever works there has not been told yet.
    untold: BTreeMap<(ContextId, PeerId), bool>,
    /// Who is where.
    there: BTreeMap<PeerId, Vec<Topic>>,
    again_ms: Option<u64>,
    /// Where replicas are called for.
    invites: Topic,
    /// Who hands calls on, and who calls.
    paces: (Pace, Pace),
    /// Who hears calls, if this node is a replica.
    listener: Option<Listener>,
    metrics: Metrics,
}

/// What the state-delta actor wants done.
#[derive(Debug)]
pub(crate) enum Want {
    /// Some messages judged, on a thread that may take long.
    Judge(Vec<Heard>),
    /// One judged in passing.
    JudgeAlone(Heard),
}

impl Intake {
    pub(crate) fn new(
        directory: Directory,
        reader: Reader,
        (listener, metrics): (Option<Listener>, Metrics),
    ) -> (Self, Hands) {
        let recent = Arc::new(Recent::default());
        let invites = Topic::invites();
        let pace = |(at_once, every_ms)| Pace::new(at_once, every_ms);
        let bench = Bench {
            directory: directory.clone(),
            reader,
            recent: Arc::clone(&recent),
            invites,
            clock: Clock::system(),
        };
        let intake = Self {
            directory,
            recent,
            waiting: VecDeque::new(),
            judging: 0,
            passed_ms: 0,
            missing: Missing::default(),
            untold: BTreeMap::new(),
            there: BTreeMap::new(),
            again_ms: None,
            invites,
            paces: (pace(HANDED_ON), pace(CALLS)),
            listener,
            metrics,
        };
        (intake, Hands(bench))
    }

    /// Something was heard: it waits to be judged.
    fn hear(&mut self, heard: Heard, turn: &mut Turn<'_, Want>) {
        let is_too_much =
            heard.topic == self.invites && !self.paces.0.take(heard.from, turn.now_ms());
        if is_too_much || self.waiting.len() >= WAITING {
            return self.shed(&heard);
        }
        self.waiting.push_back(heard);
        self.begin(turn);
    }

    /// There is no room for it: nobody hands it on, and it is compared for. Calls for replicas come again.
    fn shed(&mut self, heard: &Heard) {
        self.metrics.shed();
        if let Some(entry) = self.directory.by_topic(&heard.topic) {
            self.missing.note(entry.context(), heard.from);
        }
    }

    fn begin(&mut self, turn: &mut Turn<'_, Want>) {
        let is_alone = self.judging == 0 && self.waiting.len() == 1;
        if is_alone
            && turn.now_ms() != self.passed_ms
            && let Some(heard) = self.waiting.pop_front_if(|it| it.bytes.len() <= ALONE_BYTES)
        {
            self.passed_ms = turn.now_ms();
            turn.want(Want::JudgeAlone(heard));
            self.judging += 1;
        }
        while self.judging < BATCHES && !self.waiting.is_empty() {
            let most = self.waiting.len().min(BATCH);
            turn.want(Want::Judge(self.waiting.drain(..most).collect()));
            self.judging += 1;
        }
    }

    /// Says what becomes of messages, and hands on what they bring.
    fn judged(&mut self, judged: Vec<Judged>, now_ms: u64) {
        let mut deltas: BTreeMap<(ContextId, PeerId), Vec<Delta>> = BTreeMap::new();
        let mut accepted = Vec::new();
        for one in judged {
            let Judged { from, bytes, judge, found } = one;
            let (entry, verdict) = match found {
                Found::Said(entry, verdict) => (entry, verdict),
                Found::Called(verdict) => {
                    self.called(verdict, (from, name(&bytes), judge), now_ms);
                    continue;
                }
            };
            let context = entry.context();
            match verdict {
                Verdict::Accept(Accepted::Delta(delta)) => {
                    accepted.push(judge);
                    if self.recent.took(delta.id()) {
                        deltas.entry((context, from)).or_default().push(delta);
                    }
                }
                Verdict::Accept(Accepted::Signed(signed)) => {
                    judge.settle(Opinion::Accept);
                    if self.recent.heard(name(&bytes)) {
                        self.said(context, *signed);
                    }
                }
                Verdict::Ignore(why) => {
                    judge.settle(Opinion::Ignore);
                    self.ignored(&entry, from, why);
                }
                Verdict::Reject(why) => {
                    judge.settle(Opinion::Reject);
                    self.metrics.judged("reject");
                    tracing::debug!(%context, %from, %why, "rejected");
                }
            }
        }
        for ((context, from), deltas) in deltas {
            self.metrics.accepted(deltas.len());
            self.hand_on(context, from, deltas);
        }
        // Whoever waits for them here is told first: what is handed on to others takes longer anyway.
        accepted.into_iter().for_each(|judge| judge.settle(Opinion::Accept));
    }

    /// Says what becomes of a call for replicas. A caller that calls too often is not handed on.
    fn called(
        &mut self,
        verdict: Verdict<Call>,
        (from, name, judge): (PeerId, [u8; 32], Judge),
        now_ms: u64,
    ) {
        let call = match verdict {
            Verdict::Accept(call) if self.paces.1.take(call.caller, now_ms) => call,
            Verdict::Accept(_) | Verdict::Ignore(_) => {
                self.metrics.judged("ignore");
                return judge.settle(Opinion::Ignore);
            }
            Verdict::Reject(why) => {
                self.metrics.judged("reject");
                tracing::debug!(%from, %why, "rejected a call for replicas");
                return judge.settle(Opinion::Reject);
            }
        };
        judge.settle(Opinion::Accept);
        if self.recent.heard(name) {
            self.metrics.called();
            if let Some(listener) = &self.listener {
                listener.hear(call);
            }
        }
    }

    pub(super) fn hand_on(&mut self, context: ContextId, from: PeerId, deltas: Vec<Delta>) {
        let Some(shard) = self.directory.shard(context) else { return };
        let refused = match shard.post(context::Message::Deltas(context, from, deltas)) {
            Posted::Queued | Posted::Coalesced => return,
            Posted::Shed(refused)
            | Posted::Parked(refused)
            | Posted::Full(refused)
            | Posted::Sealed(refused) => refused,
        };
        if let context::Message::Deltas(_, _, deltas) = refused {
            for delta in deltas {
                self.metrics.shed();
                self.recent.dropped(&delta.id());
                self.missing.note(context, from);
            }
        }
    }

    /// What a member or replica says of itself.
    fn said(&mut self, context: ContextId, signed: Signed) {
        let Signed { sender, body, .. } = signed;
        let message = match body {
            Body::Announce(_) => return self.missing.note(context, sender),
            Body::Heartbeat(beat) => context::Message::Beat(context, sender, Box::new(beat)),
            Body::Ephemeral(said) => context::Message::Ephemeral(context, sender, Box::new(said)),
        };
        if let Some(shard) = self.directory.shard(context) {
            // Where there is no room for it, the next one counts.
            drop(shard.post(message));
        }
    }

    /// What is ignored here may still tell that there is something to ask for.
    fn ignored(&mut self, entry: &Arc<Entry>, from: PeerId, why: Ignored) {
        self.metrics.judged("ignore");
        let context = entry.context();
        match why {
            // Nobody's signature was looked at: it counts if whoever hands it on takes part.
            Ignored::UnknownVersion(_) => {
                let facts = entry.facts();
                if !facts.needs_upgrade
                    && facts.roster.takes_part(from)
                    && let Some(shard) = self.directory.shard(context)
                {
                    drop(shard.post(context::Message::Unknown(context, from)));
                }
            }
            Ignored::Stranger { authority: Some(_), .. } | Ignored::Clock { .. } => {
                self.missing.note(context, from);
            }
            _ => {}
        }
    }

    fn news(&mut self, news: News) {
        match news {
            News::Connected(peer) => tracing::info!(%peer, "connected"),
            News::Disconnected(peer) => {
                tracing::info!(%peer, "disconnected");
                for topic in self.there.remove(&peer).unwrap_or_default() {
                    self.reach(topic, peer, false);
                }
            }
            News::Listening(address) => tracing::info!(%address, "listening"),
            News::NotListening(address) => tracing::warn!(%address, "no longer listening"),
            News::Topics { peer, joined, left } => {
                for topic in left {
                    if let Some(topics) = self.there.get_mut(&peer) {
                        topics.retain(|known| *known != topic);
                    }
                    self.reach(topic, peer, false);
                }
                for topic in joined {
                    let all: usize = self.there.values().map(Vec::len).sum();
                    let topics = self.there.entry(peer).or_default();
                    if !topics.contains(&topic) && all < MOST_THERE {
                        topics.push(topic);
                    }
                    self.reach(topic, peer, true);
                }
            }
            News::Missed { topic, from, count } => {
                if let Some(entry) = self.directory.by_topic(&topic) {
                    tracing::debug!(context = %entry.context(), count, "messages were shed");
                    for peer in from {
                        self.missing.note(entry.context(), peer);
                    }
                }
            }
        }
    }

    fn reach(&mut self, topic: Topic, peer: PeerId, is_there: bool) {
        if let Some(entry) = self.directory.by_topic(&topic) {
            self.untold.insert((entry.context(), peer), is_there);
        }
    }

    /// Tells those who work on contexts what they have to know, as far as they have room for it.
    pub(super) fn tell(&mut self, now_ms: u64) {
        let Self { directory, untold, missing, .. } = self;
        let is_taken = |context: ContextId, message: context::Message| {
            let posted = directory.shard(context).map(|shard| shard.post(message));
            // One that takes nothing more need not know.
            !matches!(posted, Some(Posted::Shed(_) | Posted::Full(_) | Posted::Parked(_)))
        };
        untold.retain(|(context, peer), is_there| {
            !is_taken(*context, context::Message::Reach(*context, *peer, *is_there))
        });
        for (context, from) in missing.contexts() {
            if is_taken(context, context::Message::Missing(context, from)) {
                missing.told(&context);
            }
        }
        let is_told = self.untold.is_empty() && self.missing.is_empty();
        self.again_ms = (!is_told).then_some(now_ms + AGAIN_MS);
    }
}

impl Machine for Intake {
    type Event = Message;
    type Effect = Want;

    fn on(&mut self, event: Message, turn: &mut Turn<'_, Want>) -> Fate {
        match event {
            Message::Heard(heard) => self.hear(heard, turn),
            Message::News(news) => self.news(news),
            Message::Judged(judged) => {
                self.judging = self.judging.saturating_sub(1);
                self.judged(judged, turn.now_ms());
                self.begin(turn);
            }
        }
        self.tell(turn.now_ms());
        Fate::Go
    }

    fn deadline_ms(&self) -> Option<u64> {
        self.again_ms
    }

    fn on_deadline(&mut self, turn: &mut Turn<'_, Want>) -> Fate {
        self.tell(turn.now_ms());
        Fate::Go
    }
}

/// What carries out what the state-delta actor wants.
#[derive(Debug)]
pub(crate) struct Hands(Bench);

impl drive::Hands<Intake> for Hands {
    fn carry_out(&mut self, want: Want) -> Option<Begun<Message>> {
        let bench = self.0.clone();
        let length = |heard: &Heard| heard.bytes.len() as u64;
        // Judging panicked: what was to be judged is ignored.
        let fallen = Message::Judged(Vec::new());
        Some(match want {
            Want::Judge(heard) => {
                let bytes = heard.iter().map(length).sum();
                let work = async move { Message::Judged(judge(bench, heard).await) };
                Begun::new("judge", work, fallen).holding(bytes)
            }
            Want::JudgeAlone(heard) => {
                let bytes = length(&heard);
                let work = async move {
                    Message::Judged(match bench.judge_at_hand(heard) {
                        Ok(judged) => judged.into_iter().collect(),
                        Err(heard) => judge(bench, vec![*heard]).await,
                    })
                };
                Begun::new("judge alone", work, fallen).holding(bytes)
            }
        })
    }
}

/// Judges messages where that may take long.
async fn judge(bench: Bench, heard: Vec<Heard>) -> Vec<Judged> {
    spawn_blocking(move || bench.judge(heard)).await.unwrap_or_default()
}
