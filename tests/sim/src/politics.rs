//! What members decide about each other: who comes in, who goes, who may do what; several at once, on
//! both sides of a partition, and while others write.

use mangrove_protocol::effect::{Decided, Input, ReplyTo, Undecided};
use mangrove_protocol::governance::{Act, Command, Deed, Redemption, Role, Roster};
use mangrove_protocol::id::{LogId, PeerId};
use mangrove_protocol::keys::NodeKeys;
use mangrove_protocol::seal::seal_name;
use mangrove_protocol::view::{Deltas, Logs, Table};

use crate::dice::Dice;
use crate::founding::signed_kem;
use crate::node::Spot;
use crate::verdict::Violation;
use crate::world::{Event, Phase, World};

/// What can be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matter {
    /// A door is opened.
    Invite,
    /// Somebody comes in by one.
    Redeem,
    /// Somebody is let in by name.
    Grant,
    /// A member is given another role.
    SetRole,
    /// A member is removed.
    Remove,
    /// A member goes.
    Leave,
    /// The context has another name.
    Rename,
    /// An epoch begins.
    Rotate,
    /// A log ends.
    Close,
    /// A replica is taken in.
    Enlist,
    /// A replica is dismissed.
    Delist,
    /// A door is closed.
    CloseInvite,
}

impl Matter {
    /// All of them, each as often as it is drawn when all are.
    pub(crate) const ALL: [(Self, u64); 12] = [
        (Self::Invite, 2),
        (Self::Redeem, 4),
        (Self::Grant, 4),
        (Self::SetRole, 4),
        (Self::Remove, 3),
        (Self::Leave, 1),
        (Self::Rename, 1),
        (Self::Rotate, 2),
        (Self::Close, 2),
        (Self::Enlist, 2),
        (Self::Delist, 1),
        (Self::CloseInvite, 1),
    ];

    const fn label(self) -> &'static str {
        match self {
            Self::Invite => "decided: invite",
            Self::Redeem => "decided: redeem",
            Self::Grant => "decided: grant",
            Self::SetRole => "decided: set role",
            Self::Remove => "decided: remove",
            Self::Leave => "decided: leave",
            Self::Rename => "decided: rename",
            Self::Rotate => "decided: rotate",
            Self::Close => "decided: close",
            Self::Enlist => "decided: enlist",
            Self::Delist => "decided: delist",
            Self::CloseInvite => "decided: close invite",
        }
    }
}

/// A decision that waits for its answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pending {
    pub(crate) spot: Spot,
    matter: Matter,
    joins: Option<PeerId>,
}

impl World {
    /// It is time for a decision.
    pub(crate) fn govern(&mut self) {
        let every_ms = self.settings.politics.every_ms;
        if self.phase != Phase::Chaos || every_ms == 0 {
            return;
        }
        let after_ms = 1 + self.ballot.below(2 * every_ms);
        self.after(after_ms, Event::Govern);
        let matters = &self.settings.politics.matters;
        let Some(matter) = self.ballot.pick(matters).copied() else { return };
        let Some(spot) = self.speaker() else { return };
        let Some(command) = self.draft_command(spot, matter) else { return };
        let joins = match &command {
            Command::Redeem(Redemption { member, .. }) => Some(*member),
            _ => None,
        };
        let reply = self.ledger.propose(Pending { spot, matter, joins });
        self.tally.hit("decisions asked for");
        self.feed(spot, Input::Decide { command, reply });
    }

    /// Who decides: most often one who may.
    fn speaker(&mut self) -> Option<Spot> {
        let up = self.spots().into_iter().filter(|spot| self.roster(*spot).is_some());
        let up = up.collect::<Vec<_>>();
        let governs = |spot: &&Spot| {
            let role =
                self.roster(**spot).and_then(|roster| roster.role(self.cast.peer(spot.node)));
            role.is_some_and(|role| role <= Role::Admin)
        };
        let may = up.iter().filter(governs).copied().collect::<Vec<_>>();
        let among = if self.ballot.chance(900) && !may.is_empty() { may } else { up };
        self.ballot.pick(&among).copied()
    }

    /// Who may do what, as far as a running node knows.
    pub(crate) fn roster(&self, spot: Spot) -> Option<&Roster> {
        let process = self.nodes.get(spot.node)?.running()?;
        Some(process.cells.get(spot.context)?.replica.roster())
    }

    fn draft_command(&mut self, spot: Spot, matter: Matter) -> Option<Command> {
        let role = draw_role(&mut self.ballot);
        Some(match matter {
            Matter::Invite => {
                let expires_at_ms = self.wall_ms(spot.node) + self.ballot.between(5_000, 120_000);
                let uses = *self.ballot.pick(&[0, 1, 3])?;
                Command::Invite { key: self.ballot.bytes(), role, expires_at_ms, uses }
            }
            Matter::Redeem => {
                let me = self.cast.peer(spot.node);
                let mine = |deed: &&Deed| {
                    deed.log.author == me || matches!(deed.act, Act::Invite { uses: 0, .. })
                };
                let invites = self.roster(spot)?.invites().filter(mine).map(|deed| deed.id);
                let invites = invites.collect::<Vec<_>>();
                let invite = *self.ballot.pick(&invites)?;
                let keys = self.outsider(spot)?;
                let (member, kem) = (keys.peer(), signed_kem(&keys));
                Command::Redeem(Redemption { invite, member, kem })
            }
            Matter::Grant => {
                let keys = self.outsider(spot)?;
                Command::Grant { member: keys.peer(), kem: signed_kem(&keys), role }
            }
            Matter::SetRole => Command::SetRole { member: self.insider(spot)?, role },
            Matter::Remove => Command::Remove { member: self.insider(spot)? },
            Matter::Leave => Command::Leave,
            Matter::Rename => {
                let nonce = self.ballot.bytes();
                let key = self.cast.epochs(spot.context).first()?;
                Command::Rename { name: seal_name("another name", key, nonce) }
            }
            Matter::Rotate => Command::Rotate,
            Matter::Close => Command::Close { log: self.some_log(spot)? },
            Matter::Enlist => Command::Enlist { replica: self.some_replica() },
            Matter::Delist => Command::Delist { replica: self.some_replica() },
            Matter::CloseInvite => {
                let invites = self.roster(spot)?.invites().map(|deed| deed.id);
                let invites = invites.collect::<Vec<_>>();
                Command::CloseInvite { invite: *self.ballot.pick(&invites)? }
            }
        })
    }

    /// Somebody who is no member, as far as a node knows, and may become one.
    fn outsider(&mut self, spot: Spot) -> Option<NodeKeys> {
        let roster = self.roster(spot)?;
        let replica = self.settings.politics.replica;
        let nodes = self.cast.nodes.iter().enumerate();
        let nodes = nodes.filter(|(at, _)| Some(*at) != replica).map(|(_, keys)| keys);
        let all = nodes.chain([&self.cast.mallory]);
        let all = all.filter(|keys| roster.role(keys.peer()).is_none());
        let all = all.cloned().collect::<Vec<_>>();
        self.ballot.pick(&all).cloned()
    }

    /// A member, as far as a node knows.
    fn insider(&mut self, spot: Spot) -> Option<PeerId> {
        let members = self.roster(spot)?.members().into_keys().collect::<Vec<_>>();
        self.ballot.pick(&members).copied()
    }

    fn some_log(&mut self, spot: Spot) -> Option<LogId> {
        let logs = Logs::rows(self.image(spot)?).keys().copied().collect::<Vec<_>>();
        self.ballot.pick(&logs).copied()
    }

    fn some_replica(&mut self) -> PeerId {
        let replica = self.settings.politics.replica.filter(|_| self.ballot.chance(900));
        replica.map_or_else(|| self.cast.stranger.peer(), |node| self.cast.peer(node))
    }

    /// A decision was taken, or not.
    pub(crate) fn decided(&mut self, spot: Spot, to: ReplyTo, answer: Result<Decided, Undecided>) {
        let Some(Pending { matter, joins, .. }) = self.ledger.settle(to, spot) else {
            let what = "a decision is answered that nobody waits for";
            return self.fail(Some(spot.node), Violation::new("S14", what));
        };
        let label = match &answer {
            Ok(_) => matter.label(),
            Err(Undecided::Refused(_)) => "decisions refused",
            Err(Undecided::Busy) => "decisions refused: busy",
            Err(Undecided::Stopping) => "decisions refused: stopping",
            Err(_) => "decisions refused: otherwise",
        };
        self.trace.note(self.now_ms, spot.node, label, &to.0.to_le_bytes());
        self.tally.hit(label);
        let Ok(Decided { delta, falls }) = answer else { return };
        self.tally.add("members that fell with another", falls.len() as u64);
        let image = self.image(spot);
        if !image.is_some_and(|image| Deltas::rows(image).contains_key(&delta)) {
            let what = format!("{delta:?} is said to be decided before it is durable");
            return self.fail(Some(spot.node), Violation::new("S8", what));
        }
        if matter == Matter::SetRole {
            self.note_change(spot, delta);
        }
        if let Some(joiner) = joins.and_then(|member| self.cast.node(member)) {
            let by = self.cast.peer(spot.node);
            self.feed(Spot { node: joiner, ..spot }, Input::Joined { by });
        }
    }

    fn note_change(&mut self, spot: Spot, delta: mangrove_protocol::id::DeltaId) {
        let image = self.image(spot).and_then(|image| Deltas::rows(image).get(&delta));
        let act = image.and_then(|delta| Act::decode(delta.payload()).ok());
        if let Some(Act::SetRole { cuts, role, .. }) = act {
            let lowers = !cuts.is_empty();
            self.tally.hit(if lowers { "roles lowered" } else { "roles raised" });
            if lowers && !role.writes() {
                self.tally.hit("writers made readers");
            }
        }
    }
}

fn draw_role(dice: &mut Dice) -> Role {
    let roles = [Role::Owner, Role::Admin, Role::Admin, Role::Writer, Role::Writer, Role::Reader];
    *dice.pick(&roles).unwrap_or(&Role::Writer)
}
