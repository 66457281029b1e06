//! The machine of the sync-session actor: which routines there are.

use std::collections::BTreeSet;

use mangrove_network::{Network, Stream};
use mangrove_protocol::machine::{Machine, Turn, Verdict};
use mangrove_protocol::sync;
use tokio::sync::mpsc;

use super::message::Message;
use super::routine::{self, Table};
use super::{JOIN, SYNC, door};
use crate::context::{self, Heard, Seat};
use crate::directory::Directory;
use crate::drive::{self, Begun};
use crate::enlist::{ENLIST, Office, hire};
use crate::stop::Stop;

/// Which routines there are.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    live: BTreeSet<Seat>,
}

/// What the sync-session actor wants done.
#[derive(Debug)]
pub(crate) enum Want {
    /// Who has opened a stream for a session to be heard, and given a seat.
    Greet(Stream),
    /// Who stands at the door to be let in, if they may.
    Show(Stream),
    /// Who offers to be a replica to be hired, if some are wanted.
    Hire(Stream),
    /// A stream to be opened, and a session held over it.
    Dial(Seat, mpsc::Receiver<sync::Message>),
    /// A session to be held.
    Hold(Box<Table>),
    /// Whoever works on the context to be told that a session is over.
    Tell(Seat),
}

impl Machine for Sessions {
    type Event = Message;
    type Effect = Want;

    fn on(&mut self, event: Message, turn: &mut Turn<'_, Want>) -> Verdict {
        match event {
            Message::Incoming(incoming) if incoming.protocol == SYNC => {
                turn.want(Want::Greet(incoming.stream));
            }
            Message::Incoming(incoming) if incoming.protocol == JOIN => {
                turn.want(Want::Show(incoming.stream));
            }
            Message::Incoming(incoming) if incoming.protocol == ENLIST => {
                turn.want(Want::Hire(incoming.stream));
            }
            // Nothing else is offered.
            Message::Incoming(_) => {}
            Message::Open(seat, said) => {
                self.live.insert(seat);
                turn.want(Want::Dial(seat, said));
            }
            Message::Seated(Some(table)) => {
                self.live.insert(table.seat);
                turn.want(Want::Hold(table));
            }
            Message::Ended(seat) => {
                // Once, whatever ended it.
                if self.live.remove(&seat) {
                    turn.want(Want::Tell(seat));
                }
            }
            Message::Seated(None) | Message::Told | Message::Shown | Message::Answered => {}
        }
        Verdict::Go
    }
}

/// What carries out what the sync-session actor wants.
#[derive(Debug)]
pub(crate) struct Hands {
    pub(crate) network: Network,
    pub(crate) directory: Directory,
    pub(crate) office: Office,
    /// When this is told, all conversations end.
    pub(crate) ending: Stop,
}

impl drive::Hands<Sessions> for Hands {
    fn carry_out(&mut self, want: Want) -> Option<Begun<Message>> {
        let (network, directory) = (self.network.clone(), self.directory.clone());
        let ending = self.ending.clone();
        Some(match want {
            Want::Greet(stream) => {
                let work = async move {
                    let greeted = tokio::select! {
                        () = ending.told() => None,
                        greeted = routine::greet(stream, &directory) => greeted,
                    };
                    Message::Seated(greeted.map(Box::new))
                };
                Begun::new("greet", work, Message::Seated(None))
            }
            Want::Show(stream) => {
                let work = async move {
                    tokio::select! {
                        () = ending.told() => {}
                        () = door::show(stream, &directory) => {}
                    }
                    Message::Shown
                };
                Begun::new("show", work, Message::Shown)
            }
            Want::Hire(stream) => {
                let office = self.office.clone();
                let work = async move {
                    tokio::select! {
                        () = ending.told() => {}
                        () = hire(stream, &directory, &office) => {}
                    }
                    Message::Answered
                };
                Begun::new("hire", work, Message::Answered)
            }
            Want::Dial(seat, said) => {
                let work = async move {
                    tokio::select! {
                        () = ending.told() => {}
                        () = routine::dial(seat, said, (&network, &directory)) => {}
                    }
                    Message::Ended(seat)
                };
                Begun::new("dial", work, Message::Ended(seat))
            }
            Want::Hold(table) => {
                let seat = table.seat;
                let work = async move {
                    tokio::select! {
                        () = ending.told() => {}
                        () = routine::hold(*table, &directory) => {}
                    }
                    Message::Ended(seat)
                };
                Begun::new("hold", work, Message::Ended(seat))
            }
            Want::Tell(seat) => {
                let work = async move {
                    if let Some(shard) = directory.shard(seat.context) {
                        let closed = context::Message::Session(seat, Heard::Closed);
                        // One that takes nothing more has no sessions either.
                        shard.send(closed).await.ok();
                    }
                    Message::Told
                };
                Begun::new("tell", work, Message::Told)
            }
        })
    }
}
