//! What follows from governance: for the members, their keys, and the deltas that count.

use std::sync::Arc;

use super::government::{Changed, Enacted, Government, deed};
use super::settle::Outcome;
use super::{Mode, Replica, Step};
use crate::delta::Delta;
use crate::effect::Effect;
use crate::governance::{Act, Keyring, Roster};
use crate::graph::{Cause, Parent, parents};
use crate::id::DeltaId;
use crate::planted::Bug;
use crate::replica::feed::FeedItem;
use crate::view::{Feed, GovHeads, Keys, Leaning, View};

impl Replica {
    /// Who may do what.
    pub fn roster(&self) -> &Roster {
        &self.government.roster
    }

    /// The same, to be looked at for as long as one likes. It stays as it was.
    pub fn shared_roster(&self) -> Arc<Roster> {
        Arc::clone(&self.government.roster)
    }

    /// A number that grows whenever who may do what is known better, and whenever a key is learnt: what was
    /// made of either is to be made again.
    pub fn insight(&self) -> u64 {
        self.government.changes + self.government.keyring.len() as u64
    }

    /// The keys that this node holds.
    pub fn keyring(&self) -> &Keyring {
        &self.government.keyring
    }

    /// A governance delta has had its turn: who may do what is judged again.
    pub(super) fn govern<V: View>(&mut self, step: &mut Step<'_, V>, delta: &Delta, act: &Act) {
        let Enacted { members, fallen } = self.government.enact(deed(delta, act.clone()));
        self.own.gov_clock = self.own.gov_clock.max(delta.header().hlc);
        self.follow_governance(step, delta);
        fallen.into_iter().for_each(|deed| self.behead(step, deed));
        self.learn(step, act);
        if self.config.planted.has(Bug::SealToRemoved) {
            self.government.once.extend(self.government.roster.kems());
        }
        if !self.config.planted.has(Bug::IgnoreCutOffs) {
            let changed = self.government.redraw(&step.over, &self.logs, &members);
            self.heed(step, changed);
        }
        for member in members {
            if let Some(role) = self.government.new_role(member) {
                self.tell(step, FeedItem::Member { member, role, by: delta.log().author });
            }
        }
    }

    /// The delta becomes a head if it counts, and those that it cites are heads no more.
    fn follow_governance<V: View>(&mut self, step: &mut Step<'_, V>, delta: &Delta) {
        if !self.government.roster.counts(delta.id()) {
            return;
        }
        for tip in parents(delta.header()) {
            self.behead(step, tip.id);
        }
        self.government.heads.insert(delta.id(), delta.tip());
        step.over.put::<GovHeads>(delta.id(), delta.tip());
    }

    fn behead<V: View>(&mut self, step: &mut Step<'_, V>, delta: DeltaId) {
        if self.government.heads.remove(&delta).is_some() {
            step.over.remove::<GovHeads>(delta);
        }
    }

    /// Sees to what a change of government changes.
    pub(super) fn heed<V: View>(&mut self, step: &mut Step<'_, V>, changed: Changed) {
        match changed {
            Changed::Nothing => {}
            Changed::Ends => self.government.restless = true,
            Changed::Turns if self.config.planted.has(Bug::SkipRebuild) => {}
            Changed::Turns => self.begin_rebuild(step),
        }
    }

    /// Opens what an act seals for this node.
    fn learn<V: View>(&mut self, step: &mut Step<'_, V>, act: &Act) {
        if self.config.mode == Mode::Replica {
            return;
        }
        let Government { roster, keyring, .. } = &mut self.government;
        for key in keyring.learn(act, roster, &self.config.keys) {
            self.stirred.push(Cause::Key(key.id()));
            step.over.put::<Keys>(key.id(), key);
        }
    }

    /// Adds an item to the feed.
    pub(super) fn tell<V: View>(&mut self, step: &mut Step<'_, V>, item: FeedItem) {
        let position = self.own.feed;
        self.own.feed += 1;
        step.over.put::<Feed>(position, item.clone());
        step.held.push(Effect::Notify { position, item });
    }

    /// Notes the logs beyond whose ends a settled delta has parents: if those ends change, so may its
    /// turn.
    pub(super) fn lean<V: View>(&self, step: &mut Step<'_, V>, delta: &Delta) {
        for tip in delta.header().tips() {
            if self.government.parent(&step.over, &self.logs, tip) == Parent::CutOff {
                let digest = self.government.standing_digest(&tip.log);
                if step.over.get::<Leaning>(&tip.log) != Some(digest) {
                    step.over.put::<Leaning>(tip.log, digest);
                }
            }
        }
    }

    /// What a governance delta makes of its turn.
    pub(super) fn judge_act(delta: &Delta) -> Result<Outcome, Cause> {
        match Act::decode(delta.payload()) {
            Ok(act) => Ok(Outcome::Govern(Box::new(act))),
            Err(why) => crate::graph::undecodable(&why).map(Outcome::Void),
        }
    }
}
