//! A member who is up to no good: it signs what no honest node would write.

use std::sync::Arc;

use mangrove_protocol::clock::Hlc;
use mangrove_protocol::delta::{Delta, Draft, SIGNATURE_BYTES, Suite, seal_and_sign};
use mangrove_protocol::id::{AuthorityId, DeltaId, Incarnation, LogId, Plane, Seq, Tip};
use mangrove_protocol::keys::NodeKeys;
use mangrove_protocol::op::{Op, Payload, Transaction, Value};
use mangrove_protocol::view::{Heads, Places, Table};

use crate::dice::Dice;
use crate::network::Frame;
use crate::node::Spot;
use crate::workload::key;
use crate::world::{Event, Phase, World};

/// What it may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trick {
    /// Writes as it should, so that others build on it.
    Behave,
    /// Continues a delta that it has continued before.
    Fork,
    /// Writes with a clock that is minutes ahead.
    SoonClock,
    /// Writes with a clock that is years ahead.
    FarClock,
    /// Writes with a clock that is not after those of the parents.
    LateClock,
    /// Seals bytes that mean nothing.
    Garbage,
    /// Seals an operation of a later version.
    UnknownOp,
    /// Seals a payload of a later version.
    UnknownVersion,
    /// Seals under another key than it says.
    WrongSeal,
    /// Names a key that nobody has.
    UnknownEpoch,
    /// Names a parent by a place that is not its own.
    Misname,
    /// Names a parent that does not exist.
    Nonexistent,
    /// Continues a delta of another log.
    Discontinue,
    /// Writes as somebody who is no member.
    Stranger,
    /// Writes for another context.
    Elsewhere,
    /// Begins another log.
    NewLog,
    /// Names a parent under a right that nobody ever conferred.
    UnknownRight,
    /// Begins a log as if before it was removed.
    BackDate,
    /// Decides what means nothing.
    GarbageAct,
    /// Decides something that a later version may know.
    UnknownAct,
    /// Decides what is beyond its role.
    AboveRole,
    /// Begins an epoch and gives one member a box that does not open.
    UnequalSeals,
    /// Decides with a clock that is minutes ahead.
    SoonAct,
    /// Continues a decision that it has continued before.
    ForkAct,
    /// Ends logs, here and there.
    Closes,
    /// Lets in whom nobody knows.
    Sybils,
}

impl Trick {
    /// Those about who may do what.
    pub const INTRIGUES: [Self; 10] = [
        Self::UnknownRight,
        Self::BackDate,
        Self::GarbageAct,
        Self::UnknownAct,
        Self::AboveRole,
        Self::UnequalSeals,
        Self::SoonAct,
        Self::ForkAct,
        Self::Closes,
        Self::Sybils,
    ];

    /// All others.
    pub const ALL: [Self; 16] = [
        Self::Behave,
        Self::Fork,
        Self::SoonClock,
        Self::FarClock,
        Self::LateClock,
        Self::Garbage,
        Self::UnknownOp,
        Self::UnknownVersion,
        Self::WrongSeal,
        Self::UnknownEpoch,
        Self::Misname,
        Self::Nonexistent,
        Self::Discontinue,
        Self::Stranger,
        Self::Elsewhere,
        Self::NewLog,
    ];

    /// Whether it is a decision.
    const fn governs(self) -> bool {
        matches!(
            self,
            Self::GarbageAct
                | Self::UnknownAct
                | Self::AboveRole
                | Self::UnequalSeals
                | Self::SoonAct
                | Self::ForkAct
                | Self::Closes
                | Self::Sybils
        )
    }

    /// Whether what it writes waits for ever, and with it whatever comes after it in the same log.
    const fn blocks(self) -> bool {
        matches!(
            self,
            Self::FarClock
                | Self::UnknownOp
                | Self::UnknownVersion
                | Self::UnknownEpoch
                | Self::Nonexistent
                | Self::UnknownRight
        )
    }
}

/// Branches and logs that it makes when it is not out to flood anybody.
const MODEST: usize = 6;
/// Acts of a twin, each of which may end an incarnation of the node whose keys it has.
const TWIN_ACTS: usize = 12;

/// Logs beyond which it begins none that would have to wait for ever.
const MANY_LOGS: usize = 20;

/// What it has written so far.
#[derive(Debug)]
pub(crate) struct Hostile {
    pub(crate) dice: Dice,
    written: Vec<(usize, Delta)>,
    pub(crate) acts: usize,
    forks: usize,
    logs: usize,
    twin_acts: usize,
}

/// Where a delta is to stand.
#[derive(Clone, Copy)]
struct Next {
    log: LogId,
    seq: Seq,
    prev: DeltaId,
}

/// A delta in the making.
struct Plan {
    keys: NodeKeys,
    draft: Draft,
    trick: Trick,
}

impl Hostile {
    pub(crate) fn new(seed: u64) -> Self {
        let dice = Dice::new(seed, &[7]);
        Self { dice, written: Vec::new(), acts: 0, forks: 0, logs: 0, twin_acts: 0 }
    }

    /// What the hostile member itself has written on one plane of a context.
    pub(crate) fn written_in(&self, context: usize, plane: Plane) -> Vec<Delta> {
        let there = self.written.iter().filter(|(of, _)| *of == context);
        let there = there.map(|(_, delta)| delta).filter(|delta| delta.log().plane == plane);
        there.cloned().collect()
    }
}

impl World {
    /// It is time for some malice.
    pub(crate) fn malice(&mut self) {
        let every_ms = self.settings.malice.every_ms;
        if self.phase != Phase::Chaos || every_ms == 0 {
            return;
        }
        let after_ms = 1 + self.hostile.dice.below(2 * every_ms);
        self.after(after_ms, Event::Malice);
        let context = self.hostile.dice.index(self.settings.contexts);
        let target = Spot { node: self.hostile.dice.index(self.settings.nodes), context };
        let twin = self.settings.malice.twin.filter(|_| self.hostile.dice.chance(300));
        let made = match twin {
            Some(node) => self.twin(Spot { node, context }),
            None => self.scheme(target),
        };
        let Some(delta) = made else { return };
        self.hostile.written.push((context, delta.clone()));
        self.show(target, &delta);
    }

    /// Shows a delta to one node, or to several.
    fn show(&mut self, target: Spot, delta: &Delta) {
        self.trace.note(self.now_ms, target.node, "malice", delta.id().as_bytes());
        let mallory = self.settings.nodes;
        let everybody = self.hostile.dice.chance(500);
        let earlier = self.hostile.dice.chance(200);
        let mut deltas = vec![delta.bytes().clone()];
        if earlier
            && let Some((context, other)) = self.hostile.dice.pick(&self.hostile.written)
            && *context == target.context
        {
            deltas.push(other.bytes().clone());
        }
        for node in 0..self.settings.nodes {
            if everybody || node == target.node {
                let to = Spot { node, ..target };
                let frame = Frame::Slip(deltas.clone());
                self.send(mallory, to, frame);
            }
        }
    }

    /// Uses the keys of a node to continue, beside it, what it is writing.
    fn twin(&mut self, spot: Spot) -> Option<Delta> {
        if self.hostile.twin_acts >= TWIN_ACTS {
            return None;
        }
        let keys = self.cast.nodes.get(spot.node)?.clone();
        let image = self.image(spot)?;
        let of_it = Places::rows(image)
            .iter()
            .filter(|(_, place)| place.log.author == keys.peer() && place.log.plane == Plane::Data);
        let places = of_it.map(|(id, place)| (*id, place.log, place.seq, place.hlc));
        let places = places.collect::<Vec<_>>();
        let (prev, log, seq, hlc) = *self.hostile.dice.pick(&places)?;
        self.hostile.twin_acts += 1;
        self.tally.hit("tricks: twin");
        let hlc = hlc.after(0)?;
        let draft = self.draft(spot.context, Next { log, seq: seq.next(), prev }, Vec::new(), hlc);
        self.sign(spot.context, Plan { keys, draft, trick: Trick::Fork })
    }

    fn scheme(&mut self, target: Spot) -> Option<Delta> {
        let trick = *self.hostile.dice.pick(&self.settings.malice.tricks)?;
        let flood = self.settings.malice.flood.happens();
        let many = self.hostile.logs >= MANY_LOGS;
        let trick = match trick {
            trick if trick.blocks() && many && !flood => Trick::Behave,
            Trick::Fork if !flood && self.hostile.forks >= MODEST => Trick::Behave,
            Trick::NewLog if !flood && self.hostile.logs >= MODEST => Trick::Behave,
            trick => trick,
        };
        if trick.governs() {
            let act = self.intrigue(target, trick)?;
            self.tally.hit(trick_label(trick));
            return Some(act);
        }
        let plan = self.plan(target, trick)?;
        self.tally.hit(trick_label(trick));
        self.sign(target.context, plan)
    }

    fn plan(&mut self, target: Spot, trick: Trick) -> Option<Plan> {
        let Spot { context, .. } = target;
        let keys = match trick {
            Trick::Stranger => self.cast.stranger.clone(),
            _ => self.cast.mallory.clone(),
        };
        let (log, seq, prev, least) = self.place(target, trick, &keys)?;
        let (deps, past) = self.parents(target, trick, &log)?;
        let least = least.max(past);
        let now_ms = crate::world::BEGINNING_MS + self.now_ms;
        let dice = &mut self.hostile.dice;
        let hlc = match trick {
            Trick::SoonClock => {
                Hlc::new(now_ms + dice.between(61_000, 180_000), 0).max(least.after(0)?)
            }
            Trick::BackDate => least.after(crate::world::BEGINNING_MS - 60_000)?,
            Trick::FarClock => Hlc::new(now_ms + 365 * 24 * 3_600_000, 0),
            Trick::LateClock => Hlc::from_bits(least.bits().saturating_sub(dice.below(3))),
            _ => least.after(now_ms)?,
        };
        let draft = self.draft(context, Next { log, seq, prev }, deps, hlc);
        Some(Plan { keys, draft, trick })
    }

    /// Where its next delta stands, and the clock of the one before.
    fn place(
        &mut self,
        target: Spot,
        trick: Trick,
        keys: &NodeKeys,
    ) -> Option<(LogId, Seq, DeltaId, Hlc)> {
        let context = target.context;
        let mut own = self.hostile.written_in(context, Plane::Data);
        own.retain(|delta| {
            delta.log().author == keys.peer() && delta.context() == self.cast.context(context)
        });
        let last = match trick {
            Trick::Fork => {
                self.hostile.forks += 1;
                self.hostile.dice.pick(&own).cloned()
            }
            Trick::NewLog | Trick::BackDate => None,
            trick if trick.blocks() => None,
            _ => own.last().cloned(),
        };
        if trick == Trick::Discontinue {
            let other = self.hostile.dice.pick(&own)?.clone();
            let log =
                LogId { incarnation: Incarnation::new(self.hostile.dice.next()), ..*other.log() };
            return Some((log, other.seq().next(), other.id(), other.header().hlc));
        }
        let Some(last) = last else {
            self.hostile.logs += 1;
            let authority = match trick {
                Trick::Stranger => None,
                Trick::BackDate => self.cast.right(context, keys.peer()),
                _ => self.hostile_right(target),
            };
            let log = LogId {
                author: keys.peer(),
                authority: authority.unwrap_or(AuthorityId::from_bytes([9; 32])),
                incarnation: Incarnation::new(self.hostile.dice.next()),
                plane: Plane::Data,
            };
            return Some((log, Seq::FIRST, DeltaId::ZERO, Hlc::ZERO));
        };
        Some((*last.log(), last.seq().next(), last.id(), last.header().hlc))
    }

    /// Parents that the target knows, as far as the trick wants any; and the latest of their clocks.
    fn parents(&mut self, target: Spot, trick: Trick, log: &LogId) -> Option<(Vec<Tip>, Hlc)> {
        let image = self.image(target)?;
        let heads = Heads::rows(image).values().filter(|tip| tip.log != *log).copied();
        let mut tips = heads.take(2).collect::<Vec<_>>();
        if matches!(trick, Trick::FarClock | Trick::BackDate) || !self.hostile.dice.chance(600) {
            tips.clear();
        }
        let image = self.image(target)?;
        let clocks = tips.iter().filter_map(|tip| Places::rows(image).get(&tip.id));
        let latest = clocks.map(|place| place.hlc).max().unwrap_or_default();
        match trick {
            Trick::Misname => {
                let first = tips.first_mut()?;
                first.seq = first.seq.next();
            }
            Trick::Nonexistent | Trick::UnknownRight => {
                let incarnation = Incarnation::new(self.hostile.dice.next());
                let id = DeltaId::from_bytes(self.hostile.dice.bytes());
                let author = self.cast.peer(target.node);
                let known = self.cast.right(target.context, author);
                let unknown = AuthorityId::from_bytes(self.hostile.dice.bytes());
                let authority = if trick == Trick::UnknownRight { unknown } else { known? };
                let log = LogId { author, authority, incarnation, plane: Plane::Data };
                tips.push(Tip { log, seq: Seq::FIRST, id });
            }
            _ => {}
        }
        tips.sort_unstable();
        tips.dedup();
        Some((tips, latest))
    }

    fn draft(&mut self, context: usize, next: Next, deps: Vec<Tip>, hlc: Hlc) -> Draft {
        let Next { log, seq, prev } = next;
        let value = Value::new(&self.hostile.dice.bytes::<8>()).ok();
        let ops = value.into_iter().flat_map(|value| {
            let key = || key("k0");
            let put = Op::Put { key: key(), value: value.clone() };
            [put, Op::Increment { key: key(), by: 1 }, Op::Insert { key: key(), item: value }]
        });
        let transaction = Transaction { ops: ops.collect(), events: Vec::new() };
        let payload = Payload::new(vec![transaction]).unwrap_or_else(|_| Payload::merge());
        Draft {
            context: self.cast.context(context),
            log,
            seq,
            prev,
            deps,
            gov_heads: None,
            hlc,
            suite: if self.hostile.dice.chance(500) { Suite::XChaCha } else { Suite::AesGcmSiv },
            payload: payload.encode(),
        }
    }

    fn sign(&mut self, context: usize, plan: Plan) -> Option<Delta> {
        let Plan { keys, mut draft, trick } = plan;
        let mut epoch = self.cast.epochs(context).first()?.clone();
        match trick {
            Trick::Garbage => draft.payload = vec![1, 0xff, 0xff, 0xff, 0xff, 7],
            Trick::UnknownOp => draft.payload = vec![1, 1, 0, 0, 0, 1, 0, 0, 0, 99],
            Trick::UnknownVersion => draft.payload = vec![2, 1, 2, 3],
            Trick::Elsewhere => {
                draft.context = mangrove_protocol::id::ContextId::from_bytes([0xee; 32]);
            }
            Trick::UnknownEpoch => {
                epoch = mangrove_protocol::seal::EpochKey::from_bytes(self.hostile.dice.bytes());
            }
            _ => {}
        }
        let delta = seal_and_sign(draft, Some(&epoch), self.hostile.dice.bytes(), &keys).ok()?;
        if trick == Trick::WrongSeal { forge(&delta, &keys) } else { Some(delta) }
    }
}

/// The same delta with another payload under the same header, signed anew.
fn forge(delta: &Delta, keys: &NodeKeys) -> Option<Delta> {
    let mut bytes = delta.bytes().to_vec();
    let signed = bytes.len().checked_sub(SIGNATURE_BYTES)?;
    bytes.truncate(signed);
    *bytes.last_mut()? ^= 1;
    let id = blake3::derive_key("mangrove 2026 delta id v1", &bytes);
    let message = [&b"mangrove delta v1\0"[..], &id].concat();
    bytes.extend_from_slice(&keys.sign(&message));
    crate::exchange::authentic(&Arc::from(bytes))
}

const fn trick_label(trick: Trick) -> &'static str {
    match trick {
        Trick::Behave => "tricks: behave",
        Trick::Fork => "tricks: fork",
        Trick::SoonClock => "tricks: soon clock",
        Trick::FarClock => "tricks: far clock",
        Trick::LateClock => "tricks: late clock",
        Trick::Garbage => "tricks: garbage",
        Trick::UnknownOp => "tricks: unknown operation",
        Trick::UnknownVersion => "tricks: unknown version",
        Trick::WrongSeal => "tricks: wrong seal",
        Trick::UnknownEpoch => "tricks: unknown epoch",
        Trick::Misname => "tricks: misnamed parent",
        Trick::Nonexistent => "tricks: parent that does not exist",
        Trick::Discontinue => "tricks: not continuing",
        Trick::Stranger => "tricks: stranger",
        Trick::Elsewhere => "tricks: elsewhere",
        Trick::NewLog => "tricks: new log",
        Trick::UnknownRight => "tricks: parent under an unknown right",
        Trick::BackDate => "tricks: back-dated log",
        Trick::GarbageAct => "tricks: garbage act",
        Trick::UnknownAct => "tricks: unknown act",
        Trick::AboveRole => "tricks: act above its role",
        Trick::UnequalSeals => "tricks: unequal seals",
        Trick::SoonAct => "tricks: soon act",
        Trick::ForkAct => "tricks: fork of governance",
        Trick::Closes => "tricks: close",
        Trick::Sybils => "tricks: sybil",
    }
}
