//! What can be asked of the node.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mangrove_config::node::Mode;
use mangrove_network::{Multiaddr, Source, Why};
use mangrove_protocol::effect::Decided;
use mangrove_protocol::governance::{Command, Role};
use mangrove_protocol::id::{ContextId, DeltaId};
use mangrove_protocol::join::Code;
use mangrove_protocol::limits::{LABEL_BYTES, LABELS_PER_CONTEXT, NAME_BYTES};
use mangrove_protocol::replica::found;
use mangrove_protocol::replica::memory::Labels;
use mangrove_protocol::request::{Request, Written};
use mangrove_protocol::ticket::{self, MAX_ADDRESSES, Ticket};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::Handle;
use super::join::{Refusal, exchange};
use crate::context::{Ask, Beginning, Compared, Given, Message, Presence, Tie};
use crate::directory::{Entry, State};
use crate::fault::{Fault, RETRY};
use crate::inbox::Reply;

/// For how long somebody is tried to be reached who could let this node in.
const REACHING: Duration = Duration::from_secs(30);
/// For how long a comparison is waited for.
const COMPARING: Duration = Duration::from_secs(30);
/// Letters of an id that have to be named at least.
const LEAST_PREFIX: usize = 4;

/// As what somebody may come in, until when, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// As what.
    pub role: Role,
    /// For how long.
    pub lasts: Duration,
    /// How often; 0 for any number.
    pub uses: u32,
}

/// What lets somebody in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The ticket, to be handed over in secret.
    pub ticket: String,
    /// The invite, by which it can be closed.
    pub invite: DeltaId,
    /// Until when, in Unix ms.
    pub expires_at_ms: u64,
}

/// A context that this node has come into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Joined {
    /// Which.
    pub context: ContextId,
    /// As what, if that is known yet.
    pub role: Option<Role>,
    /// Whether it can be used, and holds what some other node held.
    pub is_synced: bool,
}

impl Handle {
    /// The contexts of this node.
    pub fn contexts(&self) -> Vec<Arc<Entry>> {
        let mut all = self.directory.all();
        all.sort_by_key(|entry| entry.context());
        all
    }

    /// The context that is meant: by its id, what it is called here, or how its id begins.
    pub fn find(&self, text: &str) -> Result<Arc<Entry>, Fault> {
        let unknown = || Fault::NoContext(text.to_owned());
        if let Ok(id) = text.parse::<ContextId>() {
            return self.directory.get(&id).ok_or_else(unknown);
        }
        let all = self.contexts();
        let is_called =
            |entry: &&Arc<Entry>| entry.facts().called().is_some_and(|name| **name == *text);
        let mut meant: Vec<_> = all.iter().filter(is_called).collect();
        if meant.is_empty() && text.len() >= LEAST_PREFIX {
            let begins = |entry: &&Arc<Entry>| entry.context().to_string().starts_with(text);
            meant = all.iter().filter(begins).collect();
        }
        match *meant {
            [] => Err(unknown()),
            [one] => Ok(Arc::clone(one)),
            _ => Err(Fault::Ambiguous {
                text: text.to_owned(),
                among: meant.into_iter().map(|entry| entry.context()).collect(),
            }),
        }
    }

    /// Founds a context, of which this node is the owner.
    pub async fn create(&self, name: &str) -> Result<ContextId, Fault> {
        self.create_labelled(name, BTreeMap::new()).await
    }

    /// The same, with something to write down about it. Nobody else is told.
    pub async fn create_labelled(
        &self,
        name: &str,
        labels: BTreeMap<String, String>,
    ) -> Result<ContextId, Fault> {
        self.takes_part()?;
        check_name("name", name)?;
        check_labels(&labels)?;
        let mut broken = false;
        let mut entropy = |bytes: &mut [u8]| broken |= getrandom::fill(bytes).is_err();
        let founded = found(&self.keys, name, self.wall.now_ms(), &mut entropy);
        let deltas = founded.map_err(|why| invalid("name", &why))?;
        let genesis = deltas.first().filter(|_| !broken).ok_or(Fault::Fallen)?;
        let context = ContextId::from(genesis.id());
        let beginning = Beginning::Founded(deltas);
        let given = Given { labels: Labels(labels), ..Given::default() };
        self.ask(context, |reply| Ask::Begin(beginning, given, reply)).await?;
        Ok(context)
    }

    /// Opens a door to a context for whoever holds the ticket.
    pub async fn invite(&self, context: ContextId, terms: Terms) -> Result<Invitation, Fault> {
        let Terms { role, lasts, uses } = terms;
        let lasts_ms = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX);
        let expires_at_ms = self.wall.now_ms().saturating_add(lasts_ms);
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|_| Fault::Fallen)?;
        let key = ticket::public_key(&secret);
        let command = Command::Invite { key, role, expires_at_ms, uses };
        let Decided { delta: invite, .. } = self.decide(context, command).await?;
        let (inviter, addresses) = (self.peer(), self.reachable_at().await);
        let ticket = Ticket { context, invite, secret, inviter, addresses, expires_at_ms };
        Ok(Invitation { ticket: ticket.to_text(), invite, expires_at_ms })
    }

    /// Where others may reach this node: on this machine only if it is nowhere else to be reached.
    pub(super) async fn reachable_at(&self) -> Vec<String> {
        let Some(overview) = self.network.overview().await else { return Vec::new() };
        let all: Vec<_> = overview.addresses.iter().map(ToString::to_string).collect();
        let is_near =
            |address: &String| address.starts_with("/ip4/127.") || address.starts_with("/ip6/::1/");
        let (near, mut far): (Vec<_>, Vec<_>) = all.into_iter().partition(is_near);
        if far.is_empty() {
            far = near;
        }
        far.truncate(MAX_ADDRESSES);
        far
    }

    /// Comes into a context by a ticket, and waits for so long until it can be used.
    pub async fn join(
        &self,
        text: &str,
        alias: Option<String>,
        wait: Duration,
    ) -> Result<Joined, Fault> {
        self.takes_part()?;
        let ticket: Ticket = text.parse().map_err(|why| ticket_fault(&why))?;
        if let Some(alias) = &alias {
            check_name("name", alias)?;
        }
        if ticket.inviter == self.peer() {
            return Err(Fault::Ticket("this node issued the ticket itself".to_owned()));
        }
        let context = ticket.context;
        let has_role = self.directory.get(&context).is_some_and(|it| it.facts().role.is_some());
        if !has_role {
            self.be_let_in(&ticket).await?;
            let beginning = Beginning::Joined(ticket.inviter);
            let given = Given { alias, ..Given::default() };
            self.ask(context, |reply| Ask::Begin(beginning, given, reply)).await?;
        }
        let entry = self.directory.get(&context).ok_or(Fault::Fallen)?;
        let mut facts = entry.watch();
        let until = Instant::now() + wait;
        let synced = async {
            facts.wait_for(|facts| facts.state == State::Ready).await.is_ok()
                && self.meet(context).await
        };
        let is_synced = timeout_at(until, synced).await.unwrap_or(false);
        let role = entry.facts().role;
        self.network.unwant(ticket.inviter, Why::Join).await;
        Ok(Joined { context, role, is_synced })
    }

    /// Whether this node takes part in contexts. A replica has no use for keys, and is given none.
    fn takes_part(&self) -> Result<(), Fault> {
        match self.settings.node.mode {
            Mode::Full => Ok(()),
            Mode::Replica => Err(Fault::Replica),
        }
    }

    /// Has somebody let this node in.
    async fn be_let_in(&self, ticket: &Ticket) -> Result<(), Fault> {
        let inviter = ticket.inviter;
        let addresses = ticket.addresses.iter().filter_map(|it| it.parse::<Multiaddr>().ok());
        self.network.learn(inviter, addresses.collect(), Source::Ticket).await;
        self.network.want(inviter, Why::Join).await;
        let until = Instant::now() + REACHING;
        let mut last = "nobody answered".to_owned();
        while Instant::now() < until {
            let tried = timeout_at(until, exchange(&self.network, ticket, &self.keys)).await;
            match tried {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(Refusal::Final(why))) => return Err(Fault::Ticket(why)),
                Ok(Err(Refusal::Passing(why, after))) => {
                    last = why;
                    sleep(after).await;
                }
                Err(_) => break,
            }
        }
        self.network.unwant(inviter, Why::Join).await;
        Err(Fault::Unreachable(format!(
            "{inviter}, who issued the ticket, cannot be reached: {last}"
        )))
    }

    /// Writes to a context.
    pub async fn apply(&self, context: ContextId, request: Request) -> Result<Written, Fault> {
        self.ask(context, |reply| Ask::Write(request, reply)).await
    }

    /// Decides something about a context.
    pub async fn decide(&self, context: ContextId, command: Command) -> Result<Decided, Fault> {
        self.ask(context, |reply| Ask::Decide(command, reply)).await
    }

    /// Makes the state of a context anew from its log.
    pub async fn rebuild(&self, context: ContextId) -> Result<(), Fault> {
        self.ask(context, Ask::Rebuild).await
    }

    /// Tries to compare a context until that was done once.
    async fn meet(&self, context: ContextId) -> bool {
        loop {
            match self.compare(context).await {
                Ok(_) => return true,
                Err(Fault::Unreachable(_) | Fault::Busy | Fault::Syncing(_)) => sleep(RETRY).await,
                Err(_) => return false,
            }
        }
    }

    /// Compares a context with whoever can be reached, and waits until both hold the same.
    pub async fn compare(&self, context: ContextId) -> Result<Compared, Fault> {
        let compared = timeout(COMPARING, self.ask(context, Ask::Compare)).await;
        compared.unwrap_or_else(|_| {
            let why = format!("nobody has compared notes within {} s", COMPARING.as_secs());
            Err(Fault::Unreachable(why))
        })
    }

    /// Deletes a context on this node. Others are told nothing.
    pub async fn forget(&self, context: ContextId) -> Result<(), Fault> {
        self.ask(context, Ask::Forget).await
    }

    /// Tells members of a context how things are with this one.
    pub async fn present(&self, context: ContextId, state: Vec<u8>) -> Result<(), Fault> {
        self.ask(context, |reply| Ask::Present(state, reply)).await
    }

    /// Who is present in a context.
    pub async fn absent(&self, context: ContextId) -> Result<(), Fault> {
        self.present(context, Vec::new()).await
    }

    /// Who is present.
    pub async fn presence(&self, context: ContextId) -> Result<Vec<Presence>, Fault> {
        self.ask(context, Ask::Presence).await
    }

    /// How the peers of a context stand to this node.
    pub async fn ties(&self, context: ContextId) -> Result<Vec<Tie>, Fault> {
        self.ask(context, Ask::Ties).await
    }

    async fn ask<T>(
        &self,
        context: ContextId,
        ask: impl FnOnce(Reply<Result<T, Fault>>) -> Ask,
    ) -> Result<T, Fault> {
        let shard = self.directory.shard(context).ok_or(Fault::Stopping)?;
        shard.ask(|reply| Message::Asked(context, ask(reply)))?.await?
    }
}

pub(super) fn check_name(what: &'static str, name: &str) -> Result<(), Fault> {
    match name.len() as u64 {
        0 => Err(invalid(what, &"it is empty")),
        _ if name.chars().any(char::is_control) => {
            Err(invalid(what, &"it has characters in it that cannot be seen"))
        }
        1..=NAME_BYTES => Ok(()),
        bytes => Err(too_large(what, format!("{bytes} bytes"), NAME_BYTES)),
    }
}

fn check_labels(labels: &BTreeMap<String, String>) -> Result<(), Fault> {
    let wrong = |why: &dyn ToString| Err(invalid("labels", why));
    if labels.len() as u64 > LABELS_PER_CONTEXT {
        return Err(too_large("labels", labels.len().to_string(), LABELS_PER_CONTEXT));
    }
    let words = labels.keys().chain(labels.values());
    if labels.keys().any(String::is_empty) {
        return wrong(&"one of them has no name");
    }
    if let Some(long) = words.clone().find(|word| word.len() as u64 > LABEL_BYTES) {
        return Err(too_large("labels", format!("{} bytes", long.len()), LABEL_BYTES));
    }
    if words.flat_map(|word| word.chars()).any(char::is_control) {
        return wrong(&"there are characters in them that cannot be seen");
    }
    Ok(())
}

const fn too_large(what: &'static str, found: String, most: u64) -> Fault {
    Fault::TooLarge { what, found, most }
}

fn invalid(what: &'static str, why: &dyn ToString) -> Fault {
    Fault::Invalid { what, why: why.to_string() }
}

fn ticket_fault(why: &ticket::Unusable) -> Fault {
    Fault::Ticket(why.to_string())
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        match code {
            Code::Busy | Code::UnknownInvite => {
                Self::Passing(code.to_string(), Duration::from_millis(500))
            }
            code => Self::Final(code.to_string()),
        }
    }
}
