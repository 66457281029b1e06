//! Which logs differ, found with few bytes: groups of logs first, then the logs of those groups that
//! differ, then where the logs that differ end.

use std::collections::BTreeMap;

use borsh::io::{self, Read, Write};
use borsh::{BorshDeserialize, BorshSerialize};

use super::message::NONCE_BYTES;
use crate::id::{AuthorityId, ContextId, DeltaId, Incarnation, LogId, Plane, Seq};
use crate::log::Vector;
use crate::wire::{self, Malformed};

/// Parts what a session hashes from every other use of the same hash.
const LENS_CONTEXT: &str = "mangrove 2026 sync lens v1";
/// Logs in a group, on average and at most.
const LOGS_PER_GROUP: usize = 2;
/// More groups than these fit no frame.
const MOST_GROUPS: usize = 1 << 16;

/// What a log is called in one session.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct Name(pub [u8; 4]);

/// A short digest, good for one session.
pub type Digest = [u8; 8];

/// A delta of a log that goes without saying: its place, and what it is called in one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// Its place.
    pub seq: Seq,
    /// Its name.
    pub head: Digest,
}

/// Places as they are written in messages: seven bits a byte, the lowest first, in as few as it takes.
pub(super) mod place {
    use super::{BorshDeserialize, BorshSerialize, Malformed, Read, Write, io};

    pub(in crate::sync) fn write<W: Write>(place: &u64, writer: &mut W) -> io::Result<()> {
        let mut rest = *place;
        while rest >= 0x80 {
            (rest.to_le_bytes()[0] | 0x80).serialize(writer)?;
            rest >>= 7;
        }
        rest.to_le_bytes()[0].serialize(writer)
    }

    pub(in crate::sync) fn read<R: Read>(reader: &mut R) -> io::Result<u64> {
        let mut place = 0_u64;
        for shift in (0..63).step_by(7) {
            let byte = u8::deserialize_reader(reader)?;
            place |= u64::from(byte & 0x7f) << shift;
            match byte {
                0 if shift > 0 => return Err(Malformed::NotCanonical { what: "a place" }.into()),
                0..0x80 => return Ok(place),
                _ => {}
            }
        }
        Err(Malformed::OverLimit { what: "a place", max: 1 << 63 }.into())
    }
}

impl BorshSerialize for Point {
    fn serialize<W: Write>(&self, writer: &mut W) -> io::Result<()> {
        place::write(&self.seq.get(), writer)?;
        self.head.serialize(writer)
    }
}

impl BorshDeserialize for Point {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        let seq = Seq::new(place::read(reader)?);
        let seq = seq.ok_or_else(|| Malformed::Invalid { why: "a place of 0".to_owned() })?;
        Ok(Self { seq, head: Digest::deserialize_reader(reader)? })
    }
}

/// One log, and in short where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct Line {
    /// Which log.
    pub name: Name,
    /// A digest of its tips.
    pub digest: [u8; 3],
}

/// Which log of the data it is, for those who know under which authorities there can be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct Hint {
    /// Its authority.
    pub authority: [u8; 5],
    /// Its incarnation.
    pub incarnation: Incarnation,
}

/// Where a log ends; nowhere if nothing of it is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Which log.
    pub name: Name,
    /// The same, where the other side has shown none of this name.
    pub hint: Option<Hint>,
    /// Its tips, ascending, at most 127.
    pub tips: Vec<Point>,
}

/// Tips of a log that are told of.
const MOST_TIPS: usize = 127;
/// Said beside their number where a hint follows.
const HINTED: u8 = 0x80;

impl BorshSerialize for End {
    fn serialize<W: Write>(&self, writer: &mut W) -> io::Result<()> {
        self.name.serialize(writer)?;
        let tips = self.tips.iter().take(MOST_TIPS);
        let count = u8::try_from(tips.len()).unwrap_or_default();
        (count | if self.hint.is_some() { HINTED } else { 0 }).serialize(writer)?;
        self.hint.iter().try_for_each(|hint| hint.serialize(writer))?;
        tips.into_iter().try_for_each(|tip| tip.serialize(writer))
    }
}

impl BorshDeserialize for End {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        let name = Name::deserialize_reader(reader)?;
        let count = u8::deserialize_reader(reader)?;
        let hinted = count & HINTED != 0;
        let hint = hinted.then(|| Hint::deserialize_reader(reader)).transpose()?;
        let tips = (0..count & !HINTED).map(|_| Point::deserialize_reader(reader));
        Ok(Self { name, hint, tips: tips.collect::<io::Result<_>>()? })
    }
}

/// What both sides of a session see names and digests through. Its key is made of what both of them
/// said at random after all that is compared was written.
#[derive(Debug, Clone)]
pub struct Lens([u8; 32]);

impl Lens {
    /// The lens of a session about a context, by the nonce of the opener and that of the answerer.
    pub fn new(
        context: ContextId,
        opener: &[u8; NONCE_BYTES],
        answerer: &[u8; NONCE_BYTES],
    ) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(LENS_CONTEXT);
        hasher.update(context.as_bytes()).update(opener).update(answerer);
        Self(*hasher.finalize().as_bytes())
    }

    fn hash<const N: usize>(&self, what: u8, bytes: &[u8]) -> [u8; N] {
        let mut out = [0; N];
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&[what]).update(bytes).finalize_xof().fill(&mut out);
        out
    }

    /// What a log is called.
    pub fn name(&self, log: &LogId) -> Name {
        Name(self.hash(1, &wire::encode(log)))
    }

    /// What a delta is called.
    pub fn point(&self, seq: Seq, id: DeltaId) -> Point {
        Point { seq, head: self.hash(2, id.as_bytes()) }
    }

    /// What an authority is called.
    pub fn authority(&self, id: AuthorityId) -> [u8; 5] {
        self.hash(5, id.as_bytes())
    }

    fn line(&self, log: &LogId, tips: &[(Seq, DeltaId)]) -> Line {
        Line { name: self.name(log), digest: self.hash(3, &wire::encode(&tips.to_vec())) }
    }
}

/// How many groups two sides make of their logs: the same number on both.
pub fn groups_for(ours: usize, theirs: usize) -> usize {
    ours.max(theirs).div_ceil(LOGS_PER_GROUP).next_power_of_two().min(MOST_GROUPS)
}

/// The groups that differ, by number.
pub fn differing(ours: &[Digest], theirs: &[Digest]) -> Vec<u16> {
    let pairs = (0..=u16::MAX).zip(ours.iter().zip(theirs));
    pairs.filter(|(_, (our, their))| our != their).map(|(at, _)| at).collect()
}

/// The logs of one plane, as one side of a session shows them.
#[derive(Debug)]
pub struct Outline {
    lens: Lens,
    groups: usize,
    /// Of two logs of one name the second is left for another session.
    logs: BTreeMap<Name, (LogId, Line)>,
    tips: BTreeMap<LogId, Vec<(Seq, DeltaId)>>,
}

/// What the lines of a peer show.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Difference {
    /// The logs that end elsewhere here.
    pub ours: Vec<LogId>,
    /// The logs of which the peer shows nothing.
    pub only_ours: Vec<LogId>,
    /// Logs that the peer shows and of which nothing is held here.
    pub unknown: Vec<Name>,
}

impl Outline {
    /// The logs of one plane, in so many groups.
    pub fn new(lens: Lens, vector: &Vector, plane: Plane, groups: usize) -> Self {
        let of_plane = vector.0.iter().filter(|(log, _)| log.plane == plane);
        let tips: BTreeMap<_, _> = of_plane.map(|(log, tips)| (*log, tips.clone())).collect();
        let mut logs = BTreeMap::new();
        for (log, tips) in &tips {
            let line = lens.line(log, tips);
            logs.entry(line.name).or_insert((*log, line));
        }
        Self { lens, groups: groups.max(1), logs, tips }
    }

    /// How many logs it shows.
    pub fn len(&self) -> usize {
        self.logs.len()
    }

    /// Whether it shows none.
    pub fn is_empty(&self) -> bool {
        self.logs.is_empty()
    }

    /// The log of a name.
    pub fn log(&self, name: Name) -> Option<&LogId> {
        self.logs.get(&name).map(|(log, _)| log)
    }

    fn group(&self, Name(name): Name) -> usize {
        // A power of two, so that all groups are equally likely.
        u32::from_le_bytes(name) as usize & (self.groups - 1)
    }

    /// A digest of each group.
    pub fn digests(&self) -> Vec<Digest> {
        let mut lines = vec![Vec::new(); self.groups];
        for (name, (_, line)) in &self.logs {
            if let Some(group) = lines.get_mut(self.group(*name)) {
                group.push(*line);
            }
        }
        lines.into_iter().map(|lines| self.lens.hash(4, &wire::encode(&lines))).collect()
    }

    /// The lines of some groups.
    pub fn lines(&self, groups: &[u16]) -> Vec<Line> {
        let shown = |name: &Name| {
            u16::try_from(self.group(*name)).is_ok_and(|it| groups.binary_search(&it).is_ok())
        };
        self.logs.iter().filter(|(name, _)| shown(name)).map(|(_, (_, line))| *line).collect()
    }

    /// What the lines of a peer for some groups show.
    pub fn compare(&self, groups: &[u16], theirs: &[Line]) -> Difference {
        let theirs: BTreeMap<_, _> = theirs.iter().map(|line| (line.name, line.digest)).collect();
        let ours = self.lines(groups);
        let differs = |line: &&Line| theirs.get(&line.name) != Some(&line.digest);
        let logs = ours.iter().filter(differs);
        let (known, only): (Vec<_>, Vec<_>) =
            logs.partition(|line| theirs.contains_key(&line.name));
        let logs = |lines: Vec<&Line>| {
            lines.into_iter().filter_map(|line| self.log(line.name)).copied().collect()
        };
        let (ours, only_ours) = (logs(known), logs(only));
        let unknown = theirs.keys().filter(|name| !self.logs.contains_key(*name));
        Difference { ours, only_ours, unknown: unknown.copied().collect() }
    }

    /// Where a log ends here. The data log says which it is if it is to be `hinted`.
    pub fn end(&self, log: &LogId, hinted: bool) -> End {
        let tips = self.tips.get(log).into_iter().flatten();
        let mut tips = tips.map(|(seq, id)| self.lens.point(*seq, *id)).collect::<Vec<_>>();
        tips.sort_unstable();
        tips.reverse();
        tips.truncate(MOST_TIPS);
        tips.reverse();
        let authority = self.lens.authority(log.authority);
        let hint = Hint { authority, incarnation: log.incarnation };
        let hinted = hinted && log.plane == Plane::Data;
        End { name: self.lens.name(log), hint: hinted.then_some(hint), tips }
    }

    /// The tips of a log here.
    pub fn tips(&self, log: &LogId) -> &[(Seq, DeltaId)] {
        self.tips.get(log).map(Vec::as_slice).unwrap_or_default()
    }
}
