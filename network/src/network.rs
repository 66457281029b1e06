//! The network, as the rest of the node has hold of it.

use std::sync::Arc;
use std::time::Duration;

use libp2p::Multiaddr;
use mangrove_protocol::gossip::Topic;
use mangrove_protocol::id::PeerId;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::blame::Blame;
use crate::command::{Call, Command, OnFull};
use crate::error::ConnectError;
use crate::metrics::{Labelled, count};
use crate::overview::Overview;
use crate::peers::{Source, Why};
use crate::stream::permit::Permits;
use crate::stream::{Protocol, Stream, StreamError};

/// How long a stream may take to come about, connection included.
const OPENING: Duration = Duration::from_secs(10);

/// The network, as the rest of the node has hold of it. Cheap to clone.
///
/// Orders go through one bounded queue. What has to be carried out waits for room there, what need not
/// be is dropped, and whoever gave it is told. Nothing here ever waits for the mesh.
#[derive(Debug, Clone)]
pub struct Network {
    pub(crate) me: PeerId,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) outbound: Arc<Permits>,
    pub(crate) blame: Blame,
    pub(crate) published: Labelled,
}

/// What became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "what was dropped has to be made up for"]
pub enum Posted {
    /// It will be carried out.
    Queued,
    /// There was no room for it.
    Shed,
    /// The network has ended.
    Closed,
}

/// Opens streams. What runs sessions takes any, so that it can be tested without a network.
pub trait Open {
    /// A stream to a peer that is connected or wanted.
    fn open(
        &self,
        peer: PeerId,
        protocol: Protocol,
    ) -> impl Future<Output = Result<Stream, StreamError>> + Send;
}

impl Network {
    /// Who this node is.
    pub const fn peer(&self) -> PeerId {
        self.me
    }

    /// Joins a topic: what is said there is heard from now on. `false` if this node is on too many.
    pub async fn join(&self, topic: Topic) -> bool {
        self.ask(|reply| Command::Join { topic, reply }).await.unwrap_or(false)
    }

    /// Leaves a topic.
    pub async fn leave(&self, topic: Topic) {
        self.tell(Command::Leave { topic }).await;
    }

    /// Says something on a topic, to whoever is there. That it was posted is no promise that anybody
    /// hears it.
    pub fn publish(&self, topic: Topic, bytes: Vec<u8>) -> Posted {
        let posted = self.post(Command::Publish { topic, bytes });
        if posted == Posted::Shed {
            count(&self.published, "outcome", "shed");
        }
        posted
    }

    fn post(&self, command: Command) -> Posted {
        debug_assert_eq!(command.on_full(), OnFull::Shed);
        match self.commands.try_send(command) {
            Ok(()) => Posted::Queued,
            Err(mpsc::error::TrySendError::Full(_)) => Posted::Shed,
            Err(mpsc::error::TrySendError::Closed(_)) => Posted::Closed,
        }
    }

    /// Remembers where a peer may be met.
    pub async fn learn(&self, peer: PeerId, addresses: Vec<Multiaddr>, source: Source) {
        self.tell(Command::Learn { peer, addresses, source }).await;
    }

    /// Stays connected to a peer, for one more reason.
    pub async fn want(&self, peer: PeerId, why: Why) {
        self.tell(Command::Want { peer, why }).await;
    }

    /// Takes a reason back.
    pub async fn unwant(&self, peer: PeerId, why: Why) {
        self.tell(Command::Unwant { peer, why }).await;
    }

    /// Connects to whoever listens at an address, and stays connected to that peer.
    pub async fn connect(&self, address: Multiaddr) -> Result<PeerId, ConnectError> {
        let asked = self.ask(|reply| Command::Connect { address, reply }).await;
        asked.unwrap_or(Err(ConnectError::Closed))
    }

    /// Has nothing more to do with a peer. Survives a restart.
    pub async fn ban(&self, peer: PeerId) {
        self.ask(|reply| Command::Ban { peer, reply }).await;
    }

    /// Ends the connections to a peer that does what no honest one does, and lets it in no more for a while.
    pub fn turn_away(&self, peer: PeerId) -> Posted {
        self.post(Command::TurnAway { peer })
    }

    /// Lets a banned peer back in. `false` if it was not banned.
    pub async fn unban(&self, peer: PeerId) -> bool {
        self.ask(|reply| Command::Unban { peer, reply }).await.unwrap_or(false)
    }

    /// How the network stands; `None` when it has ended.
    pub async fn overview(&self) -> Option<Overview> {
        self.ask(|reply| Command::Overview { reply }).await
    }

    /// Writes a fault of a peer into the ledger.
    pub fn record(&self, peer: PeerId, fault: &'static str) {
        self.blame.record(peer, fault);
    }

    async fn open_now(&self, peer: PeerId, protocol: Protocol) -> Result<Stream, StreamError> {
        let permit = self.outbound.take(peer).map_err(|_| StreamError::Busy)?;
        let (reply, answer) = oneshot::channel();
        let call = Call { peer, protocol, permit, reply };
        self.send(Command::Open { call }).await.map_err(|()| StreamError::Closed)?;
        // A connection that ends takes its orders with it.
        answer.await.unwrap_or(Err(StreamError::Ended))
    }

    /// Waits for room, then for the answer; `None` if the network has ended.
    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.send(command(reply)).await.ok()?;
        answer.await.ok()
    }

    async fn tell(&self, command: Command) {
        // A network that has ended has nothing left to be told.
        self.send(command).await.ok();
    }

    async fn send(&self, command: Command) -> Result<(), ()> {
        debug_assert_eq!(command.on_full(), OnFull::Wait);
        self.commands.send(command).await.map_err(drop)
    }
}

impl Open for Network {
    async fn open(&self, peer: PeerId, protocol: Protocol) -> Result<Stream, StreamError> {
        let opened = timeout(OPENING, self.open_now(peer, protocol)).await;
        opened.unwrap_or(Err(StreamError::Silent))
    }
}
