//! What a replica knows of who may do what: the roster, the keys, and where logs end by them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Config;
use super::reach::{Clip, Reach, reach_unseen};
use crate::delta::{Delta, Header};
use crate::governance::{Act, Deed, Keyring, Role, Roster, Standing};
use crate::graph::{Parent, Status, parents};
use crate::id::{AuthorityId, DeltaId, EpochId, LogId, PeerId, Plane, Seq, Tip};
use crate::keys::KemPublic;
use crate::log::LogRow;
use crate::planted::{Bug, Planted};
use crate::seal::EpochKey;
use crate::view::{self, Deltas, Entries, GovHeads, Keys, Leaning, Places, View};
use crate::wire;

/// Authorities of which it is remembered that somebody should be asked about them.
const STRANGERS_KEPT: usize = 1_024;
/// Logs of which it is remembered that something of them is waited for.
const AWAITED_KEPT: usize = 1_024;
/// Says which standing a digest is of.
const STANDING_CONTEXT: &str = "mangrove 2026 log standing v1";

/// Who may do what, as far as this node knows.
#[derive(Debug)]
pub(super) struct Government {
    /// Others may look at it as it was; it is copied before it changes then.
    pub(super) roster: Arc<Roster>,
    pub(super) keyring: Keyring,
    /// The governance deltas that count and that none cites that does.
    pub(super) heads: BTreeMap<DeltaId, Tip>,
    /// The logs that do not count as far as they are held, or might not.
    clips: BTreeMap<LogId, Clip>,
    members: BTreeMap<PeerId, Role>,
    /// How many governance deltas of each author are held.
    by_author: BTreeMap<PeerId, usize>,
    awaited: Awaited,
    /// Authorities that nothing is known of and that somebody was asked about.
    wondered: BTreeSet<AuthorityId>,
    /// Whether a peer was found to know the very same governance: what is in none of it will be
    /// waited for by nobody, until there is more of it.
    agreed: bool,
    /// Those settled from here on in this node's history have yet to be settled anew.
    pub(super) turn: u64,
    /// Counts the changes that can change what a delta makes of its turn.
    pub(super) changes: u64,
    /// The epoch to write under, as long as it is known.
    choice: Option<Option<EpochId>>,
    /// Whether boxes may be missing.
    pub(super) unsealed: bool,
    /// Whether those that wait are to be looked at again.
    pub(super) restless: bool,
    planted: Planted,
    /// The box keys of all who were ever members, for a bug that is planted.
    pub(super) once: BTreeMap<PeerId, KemPublic>,
}

impl Government {
    /// What is stored of it. Also the governance deltas that can no longer be read.
    pub(super) fn load(
        Config { context, planted, .. }: &Config,
        view: &impl View,
        logs: &BTreeMap<LogId, LogRow>,
    ) -> (Self, Vec<DeltaId>) {
        let mut damaged = Vec::new();
        let mut deeds = Vec::new();
        for id in governing(view, logs) {
            let delta = view.get::<Deltas>(&id);
            match delta
                .as_ref()
                .and_then(|delta| Some(deed(delta, Act::decode(delta.payload()).ok()?)))
            {
                Some(deed) => deeds.push(deed),
                None => damaged.push(id),
            }
        }
        let mut government = Self {
            by_author: BTreeMap::new(),
            roster: Arc::new(Roster::of(*context, deeds)),
            keyring: Keyring::new(view::every::<Keys, _>(view).map(|(_, key)| key)),
            heads: view::every::<GovHeads, _>(view).collect(),
            clips: BTreeMap::new(),
            members: BTreeMap::new(),
            awaited: Awaited::default(),
            wondered: BTreeSet::new(),
            agreed: false,
            turn: u64::MAX,
            changes: 0,
            choice: None,
            unsealed: true,
            restless: true,
            planted: planted.clone(),
            once: BTreeMap::new(),
        };
        government.members = government.roster.members();
        for (log, row) in logs {
            if log.plane == Plane::Governance {
                let held = view::range::<Entries, _>(view, (*log, Seq::FIRST, DeltaId::ZERO));
                let held = held.take_while(|((of, ..), ())| of == log).count();
                *government.by_author.entry(log.author).or_default() += held;
            }
            if let Ends::At(sets) = government.ends(log) {
                government.clips.insert(*log, Clip::new(view, log, row, &sets));
            }
        }
        (government, damaged)
    }

    pub(super) fn role(&self, member: PeerId) -> Option<Role> {
        self.members.get(&member).copied()
    }

    /// The authority by which a member acts.
    pub(super) fn authority(&self, member: PeerId) -> Option<AuthorityId> {
        self.roster.authority(member).map(crate::governance::Authority::id)
    }

    pub(super) fn clip(&self, log: &LogId) -> Option<&Clip> {
        self.clips.get(log)
    }

    pub(super) fn clips(&self) -> impl Iterator<Item = (&LogId, &Clip)> {
        self.clips.iter()
    }

    pub(super) fn held_of(&self, author: PeerId) -> usize {
        self.by_author.get(&author).copied().unwrap_or_default()
    }

    /// The key to write under; none means that a new epoch is needed.
    pub(super) fn choose(&mut self) -> Option<EpochKey> {
        if self.planted.has(Bug::WriteToAnybody) {
            let epochs = self.roster.epochs();
            let held = epochs.iter().filter(|(id, _)| self.keyring.get(id).is_some());
            let newest = held.max_by_key(|(id, epoch)| (epoch.depth, **id));
            return newest.and_then(|(id, _)| self.keyring.get(id)).cloned();
        }
        let chosen = match self.choice {
            Some(chosen) => chosen,
            None => self.keyring.choose(&self.roster).map(EpochKey::id),
        };
        self.choice = Some(chosen);
        self.keyring.get(&chosen?).cloned()
    }

    pub(super) fn forget_choice(&mut self) {
        (self.choice, self.unsealed) = (None, true);
    }

    /// Whether not everything counts that its author might write in a log from now on.
    pub(super) fn is_closed(&self, log: &LogId) -> bool {
        self.roster.standing(log) != Standing::Within(Vec::new())
    }

    /// Where a log ends by what is known.
    fn ends(&self, log: &LogId) -> Ends {
        match self.roster.kept(log) {
            Standing::Unknown => Ends::Unknown,
            // Not one head is left.
            Standing::Nothing => Ends::At(vec![Vec::new()]),
            Standing::Within(sets) if sets.is_empty() => Ends::Nowhere,
            Standing::Within(mut sets) => {
                sets.sort_unstable();
                sets.dedup();
                Ends::At(sets)
            }
        }
    }

    /// Whether cut-offs end a log at heads that they name.
    pub(super) fn is_named(&self, log: &LogId) -> bool {
        matches!(self.ends(log), Ends::At(sets) if sets.iter().any(|heads| !heads.is_empty()))
    }

    fn ends_if(&self, asked: bool, log: &LogId) -> Ends {
        if asked { self.ends(log) } else { Ends::Nowhere }
    }

    /// Whether a delta counts, as far as cut-offs have a say.
    pub(super) fn reach(
        &self,
        view: &impl View,
        logs: &BTreeMap<LogId, LogRow>,
        tip: &Tip,
    ) -> Reach {
        let row = logs.get(&tip.log);
        if let Some(clip) = self.clips.get(&tip.log) {
            return clip.reach(view, tip);
        }
        // What is held was let in by an authority that is known.
        if row.is_some_and(|row| !row.stored.is_empty()) {
            return Reach::Within;
        }
        match self.ends(&tip.log) {
            Ends::Unknown => Reach::Unknown,
            Ends::Nowhere => Reach::Within,
            Ends::At(sets) => reach_unseen(tip.log.plane, &sets, tip.seq),
        }
    }

    /// What a parent says to those who cite it.
    pub(super) fn parent(
        &self,
        view: &impl View,
        logs: &BTreeMap<LogId, LogRow>,
        tip: &Tip,
    ) -> Parent {
        match self.reach(view, logs, tip) {
            Reach::Beyond | Reach::Unknown if self.planted.has(Bug::AwaitBeyond) => {}
            Reach::Kept | Reach::Beyond => return Parent::CutOff,
            // What is made anew had its turn before.
            Reach::Unknown if self.agreed || self.turn != u64::MAX => return Parent::CutOff,
            Reach::Unknown | Reach::Within => {}
        }
        match view.get::<Places>(&tip.id) {
            Some(place)
                if place.status.order().is_some_and(|order| order < self.turn)
                    && (place.log, place.seq) == (tip.log, tip.seq) =>
            {
                Parent::Settled { hlc: place.hlc }
            }
            _ => Parent::Unsettled,
        }
    }

    /// Whether the delta before this one in its log has had its turn.
    pub(super) fn is_settled(&self, view: &impl View, header: &Header) -> bool {
        let prev = header.seq.prev().and_then(|_| view.get::<Places>(&header.prev));
        let order = prev.map(|place| place.status.order());
        order.is_none_or(|order| order.is_some_and(|order| order < self.turn))
    }

    /// The first parent whose turn has not come.
    pub(super) fn missing(
        &self,
        view: &impl View,
        logs: &BTreeMap<LogId, LogRow>,
        header: &Header,
    ) -> Option<Tip> {
        // Governance is judged by ranks alone, whatever else its author had seen: only its log goes
        // on in order.
        if header.log.plane == Plane::Governance {
            let before = parents(header).next().filter(|_| header.seq.prev().is_some());
            return before.filter(|_| !self.is_settled(view, header));
        }
        parents(header).find(|tip| self.parent(view, logs, tip) == Parent::Unsettled)
    }

    /// Whether it is the first time that something is seen of an unknown authority, so that somebody
    /// is to be asked about it. Asked again whenever more is known.
    pub(super) fn wonder(&mut self, authority: AuthorityId) -> bool {
        self.wondered.len() < STRANGERS_KEPT && self.wondered.insert(authority)
    }

    /// Something waits for what is not held of a log.
    pub(super) fn await_log(&mut self, log: &LogId) {
        self.awaited.note(log);
    }

    /// Something waits whose parents count in part as beyond the end of their logs. Where these end
    /// may change, and then it has to wait for them.
    pub(super) fn await_cut(
        &mut self,
        view: &impl View,
        logs: &BTreeMap<LogId, LogRow>,
        header: &Header,
    ) {
        for tip in parents(header) {
            if self.parent(view, logs, &tip) == Parent::CutOff {
                self.awaited.note(&tip.log);
            }
        }
    }

    /// All that waits is to be looked at again, and says again what for.
    fn look_again(&mut self) {
        self.restless = true;
        self.awaited = Awaited::default();
    }

    /// A governance delta is held that was not.
    pub(super) fn hold(&mut self, author: PeerId) {
        *self.by_author.entry(author).or_default() += 1;
    }

    /// A peer knows the very same governance.
    pub(super) fn agree(&mut self) {
        if !self.agreed {
            self.agreed = true;
            if self.awaited.any(|log| self.ends(log) == Ends::Unknown) {
                self.look_again();
            }
        }
    }

    /// A delta was stored in a log, where it may have begun a branch: where that log ends may be known
    /// better by it.
    pub(super) fn extend(
        &mut self,
        view: &impl View,
        delta: &Delta,
        (row, branches): (&LogRow, bool),
    ) -> Changed {
        let (log, begins) = (delta.log(), delta.seq() == Seq::FIRST);
        if let Ends::At(sets) = self.ends_if(begins && !self.clips.contains_key(log), log) {
            let clip = Clip::new(view, log, row, &sets);
            self.clips.insert(*log, clip);
            return Changed::Ends;
        }
        let Some(clip) = self.clips.get_mut(log) else { return Changed::Nothing };
        if clip.misses(delta.id()) {
            let again = clip.again(view, delta.log(), row);
            return self.replace_known(view, delta.log(), again, row);
        }
        if branches {
            // What was held is left in as far as it was.
            *clip = clip.again(view, log, row);
        } else if clip.reach(view, &delta.tip()) != Reach::Beyond {
            clip.stored.extend(delta.header().prev, delta.seq(), delta.id());
        }
        Changed::Nothing
    }

    /// A governance delta is held no more.
    pub(super) fn release(&mut self, author: PeerId) {
        if let Some(held) = self.by_author.get_mut(&author) {
            *held = held.saturating_sub(1);
        }
    }

    /// Deltas are held no more that were stored in a log; there is no row if it holds nothing now.
    pub(super) fn shrink(
        &mut self,
        view: &impl View,
        log: &LogId,
        row: Option<&LogRow>,
    ) -> Changed {
        match (self.clips.get(log), row) {
            (Some(clip), Some(row)) => {
                let again = clip.again(view, log, row);
                self.replace_known(view, log, again, row)
            }
            (Some(_), None) => {
                self.clips.remove(log);
                Changed::Nothing
            }
            (None, _) => Changed::Nothing,
        }
    }

    /// A delta of a log had its turn.
    pub(super) fn advance(&mut self, view: &impl View, delta: &Delta) {
        if let Some(clip) = self.clips.get_mut(delta.log())
            && clip.reach(view, &delta.tip()) == Reach::Within
        {
            clip.applied.extend(delta.header().prev, delta.seq(), delta.id());
        }
    }

    /// No data has had its turn.
    pub(super) fn start_over(&mut self) {
        let data = self.clips.iter_mut().filter(|(log, _)| log.plane == Plane::Data);
        data.for_each(|(_, clip)| clip.applied = crate::log::Tips::default());
    }

    /// The same log with the same cut-offs, of which more or less is held: who leaned on where it
    /// ended may have to stand by itself.
    fn replace_known(
        &mut self,
        view: &impl View,
        log: &LogId,
        clip: Clip,
        row: &LogRow,
    ) -> Changed {
        match self.replace(log, Some(clip), row) {
            Changed::Ends if view.get::<Leaning>(log).is_some() => Changed::Turns,
            changed => changed,
        }
    }

    fn replace(&mut self, log: &LogId, clip: Option<Clip>, row: &LogRow) -> Changed {
        let old = self.clips.get(log);
        let applied = |clip: Option<&Clip>| clip.map_or(&row.applied, |clip| &clip.applied).clone();
        let same = old == clip.as_ref();
        // Governance has its turn once and for all: the roster knows what of it counts.
        let folds = log.plane == Plane::Data;
        let turned = folds && applied(old) != applied(clip.as_ref());
        match clip {
            Some(clip) => self.clips.insert(*log, clip),
            None => self.clips.remove(log),
        };
        match (same, turned) {
            (_, true) => Changed::Turns,
            (false, false) => Changed::Ends,
            (true, false) => Changed::Nothing,
        }
    }

    /// What the roster has come to say about the logs of some members.
    pub(super) fn redraw(
        &mut self,
        view: &impl View,
        logs: &BTreeMap<LogId, LogRow>,
        members: &BTreeSet<PeerId>,
    ) -> Changed {
        let mut changed = Changed::Nothing;
        for member in members {
            let range = first_log(*member)..;
            for (log, row) in logs.range(range).take_while(|(log, _)| log.author == *member) {
                let clip = match self.ends(log) {
                    Ends::At(sets) if self.clips.get(log).is_some_and(|it| it.has_sets(&sets)) => {
                        continue;
                    }
                    Ends::At(sets) => Some(Clip::new(view, log, row, &sets)),
                    Ends::Nowhere | Ends::Unknown => None,
                };
                changed = changed.max(self.replace(log, clip, row));
            }
            let leaning = view::range::<Leaning, _>(view, first_log(*member));
            let mut leaning = leaning.take_while(|(log, _)| log.author == *member);
            if leaning.any(|(log, digest)| self.standing_digest(&log) != digest) {
                changed = Changed::Turns;
            }
        }
        changed
    }

    /// Tells one standing of a log from another.
    pub(super) fn standing_digest(&self, log: &LogId) -> [u8; 32] {
        let sets = match self.ends(log) {
            Ends::Unknown => None,
            Ends::Nowhere => Some(Vec::new()),
            Ends::At(sets) => Some(sets),
        };
        blake3::derive_key(STANDING_CONTEXT, &wire::encode(&sets))
    }

    /// Takes in a governance delta whose turn has come.
    pub(super) fn enact(&mut self, deed: Deed) -> Enacted {
        let id = deed.id;
        let mut deeds = Arc::make_mut(&mut self.roster).insert(deed).changed;
        deeds.insert(id);
        self.changes += 1;
        self.forget_choice();
        // A peer may know as much, and may not.
        self.agreed = false;
        self.wondered.clear();
        let members: BTreeSet<_> = deeds.iter().flat_map(|deed| self.concerned(deed)).collect();
        // Where these logs end may have changed, of which there is no row that would tell.
        let concerns = |log: &LogId| log.authority == id.into() || members.contains(&log.author);
        if self.awaited.any(concerns) {
            self.look_again();
        }
        let fallen = deeds.into_iter().filter(|deed| !self.roster.counts(*deed)).collect();
        Enacted { members, fallen }
    }

    /// The role of a member by now, if it is another than it was.
    pub(super) fn new_role(&mut self, member: PeerId) -> Option<Option<Role>> {
        let role = self.roster.role(member);
        let before = match role {
            Some(role) => self.members.insert(member, role),
            None => self.members.remove(&member),
        };
        (before != role).then_some(role)
    }

    /// The members whose logs a judgement is about.
    fn concerned(&self, deed: &DeltaId) -> Vec<PeerId> {
        let Some(deed) = self.roster.deed(deed) else { return Vec::new() };
        match &deed.act {
            Act::Genesis { .. } | Act::Leave { .. } => vec![deed.log.author],
            Act::Grant { member, .. }
            | Act::SetRole { member, .. }
            | Act::Revoke { member, .. } => {
                vec![*member]
            }
            Act::Close { cut } => vec![cut.log.author],
            Act::CloseInvite { invite, .. } => self.roster.joined_through(invite).collect(),
            _ => Vec::new(),
        }
    }
}

/// Logs of which something is waited for that is not held.
#[derive(Debug, Default)]
struct Awaited {
    logs: BTreeSet<LogId>,
    /// Whether there are more of them than are remembered.
    more: bool,
}

impl Awaited {
    fn note(&mut self, log: &LogId) {
        if self.logs.len() < AWAITED_KEPT {
            self.logs.insert(*log);
        } else {
            self.more |= !self.logs.contains(log);
        }
    }

    /// Whether there may be one like this.
    fn any(&self, like: impl Fn(&LogId) -> bool) -> bool {
        self.more || self.logs.iter().any(like)
    }
}

/// What became of a governance delta whose turn came.
#[derive(Debug)]
pub(super) struct Enacted {
    /// Those about whom or whose logs something else may be true.
    pub(super) members: BTreeSet<PeerId>,
    /// The governance deltas that do not count, of those that it is about.
    pub(super) fallen: Vec<DeltaId>,
}

/// Where a log ends.
#[derive(Debug, PartialEq, Eq)]
enum Ends {
    /// It is not known.
    Unknown,
    /// All of it counts.
    Nowhere,
    /// What is within all of these sets of heads counts.
    At(Vec<Vec<(Seq, DeltaId)>>),
}

/// What a change of government changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Changed {
    /// Nothing.
    Nothing,
    /// Where logs end, but nothing that had its turn is affected.
    Ends,
    /// What deltas that had their turn made of it.
    Turns,
}

/// A governance delta, as the roster takes it.
pub(super) fn deed(delta: &Delta, act: Act) -> Deed {
    let header = delta.header();
    let Header { log, seq, prev, hlc, .. } = *header;
    Deed { id: delta.id(), log, seq, prev, hlc, act }
}

const fn first_log(author: PeerId) -> LogId {
    LogId {
        author,
        authority: AuthorityId::ZERO,
        incarnation: crate::id::Incarnation::new(0),
        plane: Plane::Governance,
    }
}

/// The governance deltas that had their turn.
fn governing<'v>(
    view: &'v impl View,
    logs: &'v BTreeMap<LogId, LogRow>,
) -> impl Iterator<Item = DeltaId> + 'v {
    let logs = logs.keys().filter(|log| log.plane == Plane::Governance);
    let all = logs.flat_map(move |log| {
        let entries = view::range::<Entries, _>(view, (*log, Seq::FIRST, DeltaId::ZERO));
        entries.take_while(move |((of, ..), ())| of == log).map(|((.., id), ())| id)
    });
    all.filter(move |id| {
        let status = view.get::<Places>(id).map(|place| place.status);
        matches!(status, Some(Status::Applied { .. }))
    })
}
