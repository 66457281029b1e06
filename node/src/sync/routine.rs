//! A conversation: frames from a stream to whoever works on the context, and back.

use std::fmt;
use std::time::Duration;

use mangrove_network::{Network, Open, Receiver, Sender, Stream};
use mangrove_protocol::sync::desk::IDLE_MS;
use mangrove_protocol::sync::{Message, Refused};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::SYNC;
use crate::context::{self, Heard, Seat};
use crate::directory::Directory;
use crate::inbox::Outlet;

/// Who opens a stream has so long to say what for.
const GREETING: Duration = Duration::from_secs(10);
/// How long a frame may take to begin. The desk gives up long before that.
const PATIENCE: Duration = Duration::from_millis(2 * IDLE_MS);
/// How long the other side has to hang up after this one has said all it had to say.
const PARTING: Duration = Duration::from_secs(1);
/// What may wait to be said in one session.
const ORDERS: usize = 1_024;
/// After how long who was turned away may come back.
const COME_BACK_MS: u64 = 1_000;

/// A session that a peer has begun and that has its seat.
pub(crate) struct Table {
    pub(super) seat: Seat,
    stream: (Sender, Receiver),
    said: mpsc::Receiver<Message>,
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({:?})", self.seat)
    }
}

/// Hears what a peer has opened a stream for, and asks whoever works on that context for a seat.
pub(super) async fn greet(stream: Stream, directory: &Directory) -> Option<Table> {
    let peer = stream.peer();
    let (mut sender, mut receiver) = stream.split();
    let frame = receiver.receive(GREETING).await.ok()??;
    let Ok(Message::Hello(hello)) = Message::decode(&frame) else {
        refuse(sender, Refused::Protocol, None).await;
        return None;
    };
    let Some(entry) = directory.by_tag(&hello.tag) else {
        refuse(sender, Refused::UnknownContext, None).await;
        return None;
    };
    let (orders, said) = mpsc::channel(ORDERS);
    let accept = |reply| context::Message::Accept(entry.context(), peer, frame, (orders, reply));
    let asked = directory.shard(entry.context()).and_then(|shard| shard.ask(accept).ok());
    let seat = match asked {
        Some(answer) => answer.await.ok().flatten(),
        None => None,
    };
    match seat {
        Some(seat) => Some(Table { seat, stream: (sender, receiver), said }),
        None => {
            let busy = Message::Refused { why: Refused::Busy, retry_after_ms: Some(COME_BACK_MS) };
            sender.send(&busy.encode()).await.ok();
            sender.finish().await.ok();
            None
        }
    }
}

async fn refuse(mut sender: Sender, why: Refused, retry_after_ms: Option<u64>) {
    // Who does not hear it finds the stream closed, which says as much.
    sender.send(&Message::Refused { why, retry_after_ms }.encode()).await.ok();
    sender.finish().await.ok();
}

/// Opens a stream to the peer of a session, and holds it.
pub(super) async fn dial(
    seat: Seat,
    said: mpsc::Receiver<Message>,
    (network, directory): (&Network, &Directory),
) {
    match network.open(seat.peer, SYNC).await {
        Ok(stream) => hold(Table { seat, stream: stream.split(), said }, directory).await,
        Err(why) => {
            tracing::debug!(context = %seat.context, peer = %seat.peer, %why, "no stream to the peer");
        }
    }
}

/// Holds a session, until either side ends it.
pub(super) async fn hold(table: Table, directory: &Directory) {
    let Table { seat, stream: (sender, receiver), said } = table;
    let Some(shard) = directory.shard(seat.context) else { return };
    let hearing = hear(seat, receiver, shard);
    tokio::pin!(hearing);
    let saying = say(seat, sender, said, shard);
    tokio::select! {
        () = &mut hearing => return,
        () = saying => {}
    }
    // What was said last is on its way: the other side hangs up once it has it.
    timeout(PARTING, hearing).await.ok();
}

async fn hear(seat: Seat, mut receiver: Receiver, shard: &Outlet<context::Message>) {
    let part = || {
        // Where it is not taken, the next one is.
        drop(shard.post(context::Message::Session(seat, Heard::Part)));
    };
    while let Ok(Some(frame)) = receiver.receive_in_parts(PATIENCE, part).await {
        let heard = context::Message::Session(seat, Heard::Frame(frame));
        if shard.send(heard).await.is_err() {
            return;
        }
    }
}

async fn say(
    seat: Seat,
    mut sender: Sender,
    mut said: mpsc::Receiver<Message>,
    shard: &Outlet<context::Message>,
) {
    while let Some(message) = said.recv().await {
        if let Err(why) = sender.send(&message.encode()).await {
            tracing::debug!(context = %seat.context, peer = %seat.peer, %why, "a session broke off");
            return;
        }
        let sent = context::Message::Session(seat, Heard::Sent);
        if said.is_empty() && shard.send(sent).await.is_err() {
            return;
        }
    }
    sender.finish().await.ok();
}
