//! What everybody may know of the contexts of this node, without asking those who work on them.
//!
//! Who works on a context writes here what has changed; everybody else only looks. What is read in one go was
//! true at one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dashmap::DashMap;
use mangrove_protocol::gossip::Topic;
use mangrove_protocol::governance::{Role, Roster};
use mangrove_protocol::id::{ContextId, EpochId, PeerId};
use mangrove_protocol::limits::CONTEXTS_PER_NODE;
use mangrove_protocol::sync::Hello;
use tokio::sync::{broadcast, watch};

use crate::context::{self, Presence};
use crate::inbox::Outlet;

/// Words of members that are kept for somebody who listens and is slow.
const PRESENCE: usize = 64;
/// Contexts that a node may have.
#[expect(clippy::cast_possible_truncation, reason = "it is small")]
pub(crate) const MOST_CONTEXTS: usize = CONTEXTS_PER_NODE as usize;

// Each is a topic. A few are for other things, and for contexts that are begun at the same moment.
const _: () = assert!(MOST_CONTEXTS + 64 <= mangrove_network::MOST_TOPICS);

/// How a context is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// What was stored before the start is being looked through: reads go on, writes wait for it.
    Replaying,
    /// It is not known yet what this node may do there, or no key has come.
    Joining,
    /// Well.
    Ready,
    /// State is being made anew from the log.
    Rebuilding,
    /// It fell too often, or is damaged. Reads go on.
    Quarantined,
    /// This node takes no part any more. What it holds can be read.
    Left,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Replaying,
        Self::Joining,
        Self::Ready,
        Self::Rebuilding,
        Self::Quarantined,
        Self::Left,
    ];

    /// Its name, as the API tells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Replaying => "replaying",
            Self::Joining => "joining",
            Self::Ready => "ready",
            Self::Rebuilding => "rebuilding",
            Self::Quarantined => "quarantined",
            Self::Left => "left",
        }
    }
}

/// What is known of a context.
#[derive(Debug, Clone)]
pub struct Facts {
    /// How it is.
    pub state: State,
    /// Why it is so, for people, if that needs saying.
    pub why: Option<Arc<str>>,
    /// What this node may do there.
    pub role: Option<Role>,
    /// Who may do what.
    pub roster: Arc<Roster>,
    /// The epochs whose keys are held.
    pub epochs: Arc<BTreeSet<EpochId>>,
    /// What its members call it, once that can be read.
    pub name: Option<Arc<str>>,
    /// What this node calls it, if otherwise.
    pub alias: Option<Arc<str>>,
    /// What this node has written down about it.
    pub labels: Arc<BTreeMap<String, String>>,
    /// Since when this node has it, in Unix ms; 0 if that is not known.
    pub since_ms: u64,
    /// Whether nobody but the one who let this node in is known to agree.
    pub is_provisional: bool,
    /// A peer speaks, or wrote, what this program is too old for.
    pub needs_upgrade: bool,
}

impl Facts {
    /// Nothing is known yet.
    fn unknown(context: ContextId) -> Self {
        Self {
            state: State::Replaying,
            why: None,
            role: None,
            roster: Arc::new(Roster::new(context)),
            epochs: Arc::default(),
            name: None,
            alias: None,
            labels: Arc::default(),
            since_ms: 0,
            is_provisional: false,
            needs_upgrade: false,
        }
    }

    /// What it is called here.
    pub fn called(&self) -> Option<&Arc<str>> {
        self.alias.as_ref().or(self.name.as_ref())
    }
}

/// A context in the directory.
#[derive(Debug)]
pub struct Entry {
    context: ContextId,
    topic: Topic,
    facts: watch::Sender<Facts>,
    presence: broadcast::Sender<Presence>,
}

impl Entry {
    /// The context.
    pub const fn context(&self) -> ContextId {
        self.context
    }

    /// Where those meet who take part in it.
    pub const fn topic(&self) -> Topic {
        self.topic
    }

    /// What is known of it.
    pub fn facts(&self) -> Facts {
        self.facts.borrow().clone()
    }

    /// The same, as it changes.
    pub fn watch(&self) -> watch::Receiver<Facts> {
        self.facts.subscribe()
    }

    /// What members say they are at, from now on. Who is slow misses some, which come again.
    pub fn presence(&self) -> broadcast::Receiver<Presence> {
        self.presence.subscribe()
    }

    /// A member is at something else, or at nothing any more, where its state is empty.
    pub(crate) fn appear(&self, presence: Presence) {
        // Nobody may be listening.
        self.presence.send(presence).ok();
    }

    pub(crate) fn tell(&self, change: impl FnOnce(&mut Facts)) {
        self.facts.send_modify(change);
    }
}

/// All contexts of this node. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Directory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    me: PeerId,
    contexts: DashMap<ContextId, Arc<Entry>>,
    topics: DashMap<Topic, Arc<Entry>>,
    tags: DashMap<[u8; 16], Arc<Entry>>,
    shards: Vec<Outlet<context::Message>>,
}

impl Directory {
    /// An empty one of this node; contexts are worked on by these, of which there is at least one.
    pub(crate) fn new(me: PeerId, shards: Vec<Outlet<context::Message>>) -> Self {
        let (contexts, topics, tags) = (DashMap::new(), DashMap::new(), DashMap::new());
        Self(Arc::new(Inner { me, contexts, topics, tags, shards }))
    }

    /// Who this node is.
    pub(crate) fn me(&self) -> PeerId {
        self.0.me
    }

    /// Who works on a context: always the same.
    pub(crate) fn shard(&self, context: ContextId) -> Option<&Outlet<context::Message>> {
        self.0.shards.get(self.place(context)?)
    }

    /// All who work on contexts.
    pub(crate) fn shards(&self) -> &[Outlet<context::Message>] {
        &self.0.shards
    }

    /// Which of them works on a context.
    pub(crate) fn place(&self, context: ContextId) -> Option<usize> {
        let [first, second, ..] = *context.as_bytes();
        usize::from(u16::from_le_bytes([first, second])).checked_rem(self.0.shards.len())
    }

    /// A context, as far as this node has it.
    pub fn get(&self, context: &ContextId) -> Option<Arc<Entry>> {
        self.0.contexts.get(context).map(|entry| Arc::clone(&entry))
    }

    /// The context whose people meet there.
    pub fn by_topic(&self, topic: &Topic) -> Option<Arc<Entry>> {
        self.0.topics.get(topic).map(|entry| Arc::clone(&entry))
    }

    /// The context that is called so by those who do not know yet whether others know it.
    pub fn by_tag(&self, tag: &[u8; 16]) -> Option<Arc<Entry>> {
        self.0.tags.get(tag).map(|entry| Arc::clone(&entry))
    }

    /// All contexts, in no order.
    pub fn all(&self) -> Vec<Arc<Entry>> {
        self.0.contexts.iter().map(|entry| Arc::clone(&entry)).collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.contexts.len()
    }

    /// Whether no other may be begun.
    pub(crate) fn is_full(&self) -> bool {
        self.len() >= MOST_CONTEXTS
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.contexts.is_empty()
    }

    /// Enters a context, if it is not there yet.
    pub(crate) fn enter(&self, context: ContextId) -> Arc<Entry> {
        let fresh = || {
            let facts = watch::Sender::new(Facts::unknown(context));
            let presence = broadcast::Sender::new(PRESENCE);
            Arc::new(Entry { context, topic: Topic::of(context), facts, presence })
        };
        let entry = Arc::clone(&self.0.contexts.entry(context).or_insert_with(fresh));
        self.0.topics.insert(entry.topic, Arc::clone(&entry));
        self.0.tags.insert(Hello::tag(context), Arc::clone(&entry));
        entry
    }

    /// Strikes a context out.
    pub(crate) fn strike(&self, context: ContextId) {
        self.0.tags.remove(&Hello::tag(context));
        self.0.topics.remove(&Topic::of(context));
        self.0.contexts.remove(&context);
    }
}
