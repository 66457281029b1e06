//! The roster as the page defines it, word by word: slow, and written without a look at the other.

use std::collections::{BTreeMap, BTreeSet};

use mangrove_protocol::governance::{Act, CutOff, Deed, Role, Roster, Standing};
use mangrove_protocol::id::{AuthorityId, ContextId, DeltaId, LogId, PeerId, Plane, Seq};

/// An authority with its static rank.
#[derive(Clone)]
struct Right {
    member: PeerId,
    rank: (Role, u32),
    /// Of the one that conferred it.
    by: Option<AuthorityId>,
    invite: Option<DeltaId>,
    overrides: Vec<DeltaId>,
}

pub(super) struct Naive<'a> {
    deeds: BTreeMap<DeltaId, &'a Deed>,
    rights: BTreeMap<AuthorityId, Right>,
    valid: BTreeSet<AuthorityId>,
    counting: BTreeSet<DeltaId>,
}

fn is_self_act(deed: &Deed) -> bool {
    let author = deed.log.author;
    match &deed.act {
        Act::Leave { .. } => true,
        Act::SetRole { member, .. } => *member == author,
        Act::Close { cut } => cut.log.author == author,
        _ => false,
    }
}

fn least_role(deed: &Deed) -> Role {
    let own = is_self_act(deed);
    match deed.act {
        Act::Genesis { .. } => Role::Owner,
        Act::SetRole { .. } if own => Role::Writer,
        Act::Close { .. } if own => Role::Reader,
        Act::Leave { .. } | Act::Seal { .. } => Role::Reader,
        Act::Rotate(_) => Role::Writer,
        _ => Role::Admin,
    }
}

fn authority_of(deed: &Deed) -> AuthorityId {
    if matches!(deed.act, Act::Genesis { .. }) { deed.id.into() } else { deed.log.authority }
}

fn cuts_of(deed: &Deed) -> Vec<CutOff> {
    match &deed.act {
        Act::Revoke { cuts, .. } | Act::SetRole { cuts, .. } | Act::Leave { cuts } => cuts.clone(),
        Act::Close { cut } => vec![cut.clone()],
        _ => Vec::new(),
    }
}

impl<'a> Naive<'a> {
    pub(super) fn of(context: ContextId, deeds: &'a [Deed]) -> Self {
        let deeds = deeds.iter().map(|deed| (deed.id, deed)).collect();
        let (rights, valid, counting) = Default::default();
        let mut naive = Self { deeds, rights, valid, counting };
        while naive.confer(context) {}
        let ranks: BTreeSet<_> = naive.rights.values().map(|right| right.rank).collect();
        for rank in ranks {
            naive.judge(context, rank);
        }
        naive
    }

    /// Adds the authorities that known ones confer; whether there were any.
    fn confer(&mut self, context: ContextId) -> bool {
        let mut found = Vec::new();
        for deed in self.deeds.values() {
            let author = deed.log.author;
            let (member, role, invite, overrides) = match &deed.act {
                Act::Genesis { .. } if ContextId::from(deed.id) == context => {
                    (author, Role::Owner, None, Vec::new())
                }
                Act::Grant { member, role, invite, overrides, .. } => {
                    (*member, *role, *invite, overrides.clone())
                }
                Act::SetRole { member, role, overrides, .. } => {
                    (*member, *role, None, overrides.clone())
                }
                _ => continue,
            };
            let genesis = matches!(deed.act, Act::Genesis { .. });
            let by = (!genesis).then_some(deed.log.authority);
            let depth = match by {
                None => 0,
                Some(by) => {
                    let Some(right) = self.rights.get(&by) else { continue };
                    let own = right.rank.0;
                    let raises = is_self_act(deed) && role <= own;
                    if right.member != author || role < own || raises || own > least_role(deed) {
                        continue;
                    }
                    right.rank.1 + 1
                }
            };
            let right = Right { member, rank: (role, depth), by, invite, overrides };
            found.push((AuthorityId::from(deed.id), right));
        }
        let before = self.rights.len();
        self.rights.extend(found);
        self.rights.len() > before
    }

    fn judge(&mut self, context: ContextId, rank: (Role, u32)) {
        let of_rank: BTreeMap<_, _> =
            self.rights.iter().filter(|(_, right)| right.rank == rank).collect();
        let valid = of_rank.iter().filter(|(id, right)| self.is_valid(***id, right));
        let valid: BTreeSet<AuthorityId> = valid.map(|(id, _)| **id).collect();
        let done: Vec<&Deed> = self
            .deeds
            .values()
            .copied()
            .filter(|deed| valid.contains(&authority_of(deed)))
            .collect();
        self.valid.extend(valid);
        let covered = |deed: &&&Deed| {
            let right = &self.rights[&authority_of(deed)];
            let confers =
                !matches!(deed.act, Act::Genesis { .. } | Act::Grant { .. } | Act::SetRole { .. })
                    || self.rights.contains_key(&deed.id.into());
            right.member == deed.log.author && rank.0 <= least_role(deed) && confers
        };
        let covered: Vec<&Deed> = done.iter().filter(covered).copied().collect();
        let genesis = |deed: &Deed| ContextId::from(deed.id) == context;
        let judged = |own: bool, counting: &BTreeSet<DeltaId>| -> Vec<DeltaId> {
            let deeds = covered.iter().filter(|deed| is_self_act(deed) == own);
            let counts = |deed: &&&Deed| {
                let mut cuts = counting.iter().map(|id| self.deeds[id]);
                genesis(deed) || !cuts.any(|cut| self.voids(cut, deed, own))
            };
            deeds.filter(counts).map(|deed| deed.id).collect()
        };
        let own = judged(true, &self.counting);
        let mut counting = self.counting.clone();
        counting.extend(own);
        let rest = judged(false, &counting);
        counting.extend(rest);
        self.counting = counting;
    }

    fn is_valid(&self, id: AuthorityId, right: &Right) -> bool {
        let deed = DeltaId::from_bytes(*id.as_bytes());
        let conferred = right.by.is_none() || self.counting.contains(&deed);
        let shut_out = self.counting.iter().map(|id| self.deeds[id]).any(|closing| {
            let Act::CloseInvite { invite, accepted } = &closing.act else { return false };
            let senior = self.rights[&authority_of(closing)].rank < right.rank;
            senior && right.invite == Some(*invite) && !accepted.contains(&deed)
        });
        conferred && !shut_out
    }

    /// Whether an act that counts may act on an authority.
    fn may_act_on(&self, act: &Deed, member: PeerId, rank: (Role, u32)) -> bool {
        let actor = &self.rights[&authority_of(act)];
        if is_self_act(act) {
            member == act.log.author && actor.rank <= rank
        } else {
            actor.rank < rank
        }
    }

    /// Whether an act that counts ends an authority, were it of this rank.
    fn ends(&self, act: &Deed, id: AuthorityId, rank: (Role, u32)) -> bool {
        let right = &self.rights[&id];
        let about = match &act.act {
            Act::Revoke { member, .. } => *member == right.member,
            Act::Leave { .. } => act.log.author == right.member,
            Act::SetRole { member, role, .. } => *member == right.member && rank.0 < *role,
            _ => false,
        };
        about
            && AuthorityId::from(act.id) != id
            && self.may_act_on(act, right.member, rank)
            && !right.overrides.contains(&act.id)
    }

    /// Whether an act that counts cuts a log of a valid authority.
    fn cuts(&self, act: &Deed, log: &LogId) -> bool {
        let right = &self.rights[&log.authority];
        let data = log.plane == Plane::Data;
        let rank = if data { self.rank_for_data(log.authority) } else { right.rank };
        match &act.act {
            Act::Close { cut } => {
                let own_data = data && is_self_act(act);
                cut.log == *log && (own_data || self.may_act_on(act, right.member, rank))
            }
            Act::SetRole { role, .. } if data && *role <= Role::Writer => false,
            _ => self.ends(act, log.authority, rank),
        }
    }

    fn rank_for_data(&self, id: AuthorityId) -> (Role, u32) {
        let (role, depth) = self.rights[&id].rank;
        let lowered = self.counting.iter().filter_map(|act| match &self.deeds[act].act {
            Act::SetRole { role: to, .. } if *to <= Role::Writer => {
                self.ends(self.deeds[act], id, (role, depth)).then_some(*to)
            }
            _ => None,
        });
        (lowered.max().unwrap_or(role).max(role), depth)
    }

    fn voids(&self, cut: &Deed, deed: &Deed, own: bool) -> bool {
        let exempt = own && is_self_act(cut);
        !exempt && self.cuts(cut, &deed.log) && !self.survives(cut, deed)
    }

    fn survives(&self, cut: &Deed, deed: &Deed) -> bool {
        let cuts = cuts_of(cut);
        let heads: Vec<_> =
            cuts.iter().filter(|cut| cut.log == deed.log).flat_map(|cut| &cut.heads).collect();
        let held = |head: &(Seq, DeltaId)| {
            let place = self.deeds.get(&head.1).map(|deed| (deed.log, deed.seq));
            place == Some((deed.log, head.0))
        };
        if heads.iter().any(|head| !held(head)) && heads.iter().any(|head| deed.seq <= head.0) {
            return true;
        }
        let mut keep: Vec<_> =
            heads.into_iter().filter(|head| held(head)).map(|head| head.1).collect();
        if is_self_act(cut) && cut.log == deed.log {
            keep.push(cut.id);
        }
        keep.into_iter().any(|head| self.is_past_of(deed.id, head))
    }

    fn is_past_of(&self, id: DeltaId, head: DeltaId) -> bool {
        let mut at = self.deeds[&head];
        loop {
            if at.id == id {
                return true;
            }
            match self.deeds.get(&at.prev) {
                Some(prev) if prev.log == at.log && Some(prev.seq) == at.seq.prev() => at = prev,
                _ => return false,
            }
        }
    }

    fn is_active(&self, id: AuthorityId) -> bool {
        let rank = self.rights[&id].rank;
        let mut acts = self.counting.iter().map(|act| self.deeds[act]);
        self.valid.contains(&id) && !acts.any(|act| self.ends(act, id, rank))
    }

    fn members(&self) -> BTreeMap<PeerId, Role> {
        let mut members = BTreeMap::new();
        for (id, right) in self.rights.iter().filter(|(id, _)| self.is_active(**id)) {
            assert!(self.valid.contains(id));
            let role = members.entry(right.member).or_insert(right.rank.0);
            *role = right.rank.0.min(*role);
        }
        members
    }

    /// The sets of heads that a data log is cut at; nothing if none of it counts.
    fn data_standing(&self, log: &LogId) -> Option<BTreeSet<Vec<(Seq, DeltaId)>>> {
        let right = &self.rights[&log.authority];
        if !self.valid.contains(&log.authority) || right.rank.0 == Role::Reader {
            return None;
        }
        let acts =
            self.counting.iter().map(|act| self.deeds[act]).filter(|act| self.cuts(act, log));
        Some(acts.map(|act| heads_in(act, log)).collect())
    }
}

fn heads_in(act: &Deed, log: &LogId) -> Vec<(Seq, DeltaId)> {
    let heads = cuts_of(act).into_iter().filter(|cut| cut.log == *log).flat_map(|cut| cut.heads);
    heads.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Checks that a roster says what the page says: of members, acts and data logs.
#[track_caller]
pub(super) fn check(context: ContextId, deeds: &[Deed], roster: &Roster) {
    let naive = Naive::of(context, deeds);
    for deed in deeds {
        let (got, wanted) = (roster.counts(deed.id), naive.counting.contains(&deed.id));
        assert_eq!(got, wanted, "whether {deed:?} counts");
    }
    assert_eq!(roster.members(), naive.members());
    let named = deeds.iter().flat_map(cuts_of).map(|cut| cut.log);
    let written = deeds.iter().map(|deed| deed.log);
    for log in named.chain(written) {
        let log = LogId { plane: Plane::Data, ..log };
        let Some(right) = naive.rights.get(&log.authority) else { continue };
        if right.member != log.author {
            assert_eq!(roster.standing(&log), Standing::Nothing);
            continue;
        }
        let got = match roster.standing(&log) {
            Standing::Within(sets) => Some(sets.into_iter().collect()),
            Standing::Nothing => None,
            Standing::Unknown => panic!("{log:?} has an authority"),
        };
        assert_eq!(got, naive.data_standing(&log), "{log:?}");
    }
}
