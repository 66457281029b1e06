//! A member whose keys a test holds, and whose words it can put together by hand.

use std::time::{SystemTime, UNIX_EPOCH};

use mangrove_network::{Protocol, StreamError};
use mangrove_protocol::delta::{Delta, Draft, Suite, XCHACHA_NONCE_BYTES, seal_and_sign};
use mangrove_protocol::effect::Input;
use mangrove_protocol::gossip::{self, Topic};
use mangrove_protocol::id::{ContextId, Plane};
use mangrove_protocol::keys::NodeKeys;
use mangrove_protocol::overlay::Overlay;
use mangrove_protocol::planted::Planted;
use mangrove_protocol::replica::{Bounds, Config, Durability, Mode, Replica};
use mangrove_protocol::seal::EpochKey;
use mangrove_protocol::sync::{Ending, FRAME_BYTES, Message, NONCE_BYTES, Pair, Said, Session};
use mangrove_protocol::view::{self, Deltas, ForTable, Keys, Memory, Table, View};

use crate::dice::Dice;
use crate::naive;
use crate::node::Node;
use crate::stranger::{self, Stranger};

/// How two nodes compare what they hold.
const SYNC: Protocol = Protocol { name: "/mangrove/sync/1", frame_bytes: FRAME_BYTES };
/// More steps than it takes to settle a few deltas.
const STEPS: usize = 1_000;

/// A member whose keys a test holds: it goes on where a node has stopped that has written something.
#[derive(Debug)]
pub struct Member {
    keys: NodeKeys,
    context: ContextId,
    /// What it has stored.
    memory: Memory,
    replica: Replica,
    /// What it wrote last.
    last: Delta,
    epoch: EpochKey,
    dice: Dice,
}

impl Member {
    /// The one that a node was, which does not run any more and has a home that is not encrypted. Its home
    /// stays as it is.
    #[track_caller]
    pub fn of(node: &Node, context: &str) -> Self {
        let keys = node.keys();
        let memory = naive::look(&node.home(), context, |snapshot| Ok(copy(snapshot))).unwrap();
        let context = context.parse().unwrap();
        let written = Deltas::rows(&memory).values();
        let is_own = |it: &&Delta| it.log().author == keys.peer() && it.log().plane == Plane::Data;
        let last = written.filter(is_own).max_by_key(|it| it.header().hlc).unwrap().clone();
        let epoch = memory.get::<Keys>(&last.header().seal.epoch().unwrap()).unwrap();
        let config = Config {
            context,
            keys: keys.clone(),
            mode: Mode::Full,
            durability: Durability::Fsync,
            bounds: Bounds::default(),
            planted: Planted::default(),
        };
        let replica = Replica::boot(config, now_ms(), &memory);
        Self { keys, context, memory, replica, last, epoch, dice: Dice::new(None) }
    }

    /// Its keys.
    pub const fn keys(&self) -> &NodeKeys {
        &self.keys
    }

    /// Where it meets the other members.
    pub fn topic(&self) -> Topic {
        Topic::of(self.context)
    }

    /// Writes a delta that says this, whatever it means. It continues its log, and nobody is told.
    #[track_caller]
    pub fn write(&mut self, payload: Vec<u8>) -> Delta {
        let before = self.last.header();
        let draft = Draft {
            context: self.context,
            log: before.log,
            seq: before.seq.next(),
            prev: self.last.id(),
            deps: Vec::new(),
            gov_heads: None,
            hlc: before.hlc.after(now_ms()).unwrap(),
            suite: Suite::AesGcmSiv,
            payload,
        };
        let nonce: [u8; XCHACHA_NONCE_BYTES] = bytes(&mut self.dice);
        self.last = seal_and_sign(draft, Some(&self.epoch), nonce, &self.keys).unwrap();
        self.last.clone()
    }

    /// A delta of its own as it is said on the mesh.
    pub fn message(&self, delta: &Delta) -> Vec<u8> {
        gossip::Message::of(delta, &self.keys).encode()
    }

    /// Stores deltas, so that they are given to whoever compares.
    pub fn keep(&mut self, deltas: Vec<Delta>) {
        let from = self.keys.peer();
        let mut next = Some(Input::Deltas { from, deltas });
        for _ in 0..STEPS {
            let Some(input) = next.take() else { return };
            let now_ms = now_ms();
            let mut entropy = |into: &mut [u8]| fill(&mut self.dice, into);
            let effects = self.replica.handle(input, now_ms, &mut entropy, &self.memory);
            if let Some(commit) = effects.commit {
                self.memory.apply(&commit.batch);
                next = Some(Input::Committed);
            } else if effects.wake_at_ms.is_some_and(|at_ms| at_ms <= now_ms) {
                next = Some(Input::Tick);
            }
        }
    }

    /// Compares what it holds with a node, and gives what that lacks. Each message goes out as `word` makes
    /// it.
    pub fn compare(
        &mut self,
        by: &Stranger,
        node: &Node,
        mut word: impl FnMut(Message) -> Vec<u8>,
    ) -> Result<Option<Ending>, StreamError> {
        let them = stranger::peer(node);
        let pair = Pair { context: self.context, us: self.keys.peer(), them };
        let nonce: [u8; NONCE_BYTES] = bytes(&mut self.dice);
        let (mut session, hello) = Session::open(pair, nonce, &self.replica);
        let mut talk = by.talk(node, SYNC)?;
        talk.say(&word(hello))?;
        while let Some(frame) = talk.hear()? {
            let message = Message::decode(&frame);
            let message = message.unwrap_or_else(|why| panic!("{why}: {frame:?}"));
            let mut said = session.on(message, true, &self.replica, &self.memory);
            if said.iter().any(|said| matches!(said, Said::Offered(_))) {
                // What the other side has and this one lacks is left where it is.
                session.be_sated(&mut said);
                said.extend(session.go_on(true, &self.replica, &self.memory));
            }
            for said in said {
                match said {
                    Said::Send(message) => talk.say(&word(message))?,
                    Said::Over(ending) => return Ok(Some(ending)),
                    _ => {}
                }
            }
        }
        Ok(None)
    }
}

/// Unix milliseconds.
fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}

fn copy(from: &impl View) -> Memory {
    let (nothing, mut memory) = (Memory::default(), Memory::default());
    let mut copying = Copying { from, into: Overlay::new(&nothing) };
    view::for_every_table(&mut copying);
    memory.apply(&copying.into.into_batch());
    memory
}

struct Copying<'v, V> {
    from: &'v V,
    into: Overlay<'v, Memory>,
}

impl<V: View> ForTable for Copying<'_, V> {
    fn table<T: Table>(&mut self) {
        for (key, row) in view::every::<T, _>(self.from) {
            self.into.put::<T>(key, row);
        }
    }
}

fn fill(dice: &mut Dice, into: &mut [u8]) {
    into.fill_with(|| u8::try_from(dice.below(256)).unwrap());
}

fn bytes<const N: usize>(dice: &mut Dice) -> [u8; N] {
    let mut bytes = [0; N];
    fill(dice, &mut bytes);
    bytes
}
