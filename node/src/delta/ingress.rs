//! What the state-delta actor is told, and by whom.

use std::collections::BTreeMap;
use std::time::Duration;

use mangrove_network::{Ears, Heard, Incoming, News};
use mangrove_protocol::gossip::Topic;
use mangrove_protocol::id::PeerId;
use mangrove_protocol::lane::Lane;
use mangrove_protocol::machine::{Event, OnFull};

use tokio::time::sleep;

use super::check::Judged;
use crate::drive::Ended;
use crate::inbox::{Outlet, Posted};
use crate::stop::Stop;
use crate::sync;

/// What the state-delta actor is told.
#[derive(Debug)]
pub(crate) enum Message {
    /// Somebody said something on the mesh. What there is no room for is not judged, and is fetched later.
    Heard(Heard),
    /// Something has changed about the mesh.
    News(News),
    /// What was heard has been judged.
    Judged(Vec<Judged>),
}

impl Event for Message {
    fn label(&self) -> &'static str {
        match self {
            Self::Heard(_) => "heard",
            Self::News(_) => "news",
            Self::Judged(_) => "judged",
        }
    }

    fn lane(&self) -> Lane {
        match self {
            Self::Heard(_) | Self::Judged(_) => Lane::Delta,
            Self::News(_) => Lane::Control,
        }
    }

    fn on_full(&self) -> OnFull {
        match self {
            Self::Heard(_) => OnFull::Shed,
            Self::News(_) => OnFull::Wait,
            // It comes back by itself, and needs no room.
            Self::Judged(_) => OnFull::Wait,
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            Self::Heard(heard) => heard.bytes.len() as u64,
            Self::News(_) | Self::Judged(_) => 0,
        }
    }

    fn peer(&self) -> Option<PeerId> {
        match self {
            Self::Heard(heard) => Some(heard.from),
            Self::News(News::Connected(peer) | News::Disconnected(peer)) => Some(*peer),
            Self::News(News::Topics { peer, .. }) => Some(*peer),
            Self::News(News::Missed { .. } | News::Listening(_) | News::NotListening(_))
            | Self::Judged(_) => None,
        }
    }
}

/// How often it is tried to say what was shed.
const SAY: Duration = Duration::from_millis(50);
/// Topics on which it is remembered that something was shed. There are no more contexts than that in a hurry.
const MOST_TOPICS: usize = 1_024;

/// Carries what the network tells to the actors, until the network has ended or it is told to stop. What an actor
/// takes no more is dropped.
pub(crate) async fn bridge(
    mut ears: Ears,
    (delta, sync): (Outlet<Message>, Outlet<sync::Message>),
    stop: Stop,
) -> Ended {
    let mut missed = BTreeMap::new();
    loop {
        let next = tokio::select! {
            biased;
            () = stop.told() => return Ended::Stopped,
            Some(news) = ears.news.recv() => Carried::News(news),
            Some(incoming) = ears.streams.recv() => Carried::Stream(incoming),
            () = sleep(SAY), if !missed.is_empty() => Carried::Nothing,
            Some(heard) = ears.heard.recv() => Carried::Heard(heard),
            else => return Ended::Stopped,
        };
        let told = async {
            match next {
                Carried::News(news) => delta.send(Message::News(news)).await.is_ok(),
                Carried::Stream(it) => sync.send(sync::Message::Incoming(it)).await.is_ok(),
                Carried::Heard(heard) => hand_on(heard, &delta, &mut missed),
                Carried::Nothing => say(&mut missed, &delta),
            }
        };
        tokio::select! {
            biased;
            () = stop.told() => return Ended::Stopped,
            _taken = told => {}
        }
    }
}

/// Something that the network tells, or that it is time to say what was shed.
enum Carried {
    News(News),
    Stream(Incoming),
    Heard(Heard),
    Nothing,
}

/// What was shed, by topic: who has it, and how much it was.
type Missed = BTreeMap<Topic, (PeerId, u64)>;

/// Hands a message on. Without an opinion it is handed on to nobody, but it is known that it was missed.
fn hand_on(heard: Heard, delta: &Outlet<Message>, missed: &mut Missed) -> bool {
    let Posted::Shed(Message::Heard(Heard { topic, from, .. })) = delta.post(Message::Heard(heard))
    else {
        return true;
    };
    if missed.len() < MOST_TOPICS || missed.contains_key(&topic) {
        let (_, count) = missed.entry(topic).or_insert((from, 0));
        *count += 1;
    }
    false
}

/// Says what was missed, as far as there is room for that.
fn say(missed: &mut Missed, delta: &Outlet<Message>) -> bool {
    missed.retain(|topic, (from, count)| {
        let news = News::Missed { topic: *topic, from: vec![*from], count: *count };
        matches!(delta.post(Message::News(news)), Posted::Full(_))
    });
    missed.is_empty()
}
