//! What the parts promise together: a machine that books in a real store, under the warden.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use actix::{Arbiter, System};
use camino::Utf8Path;
use mangrove_config::failpoint;
use mangrove_config::store::Store as Settings;
use mangrove_protocol::clock::Hlc;
use mangrove_protocol::effect::Durable;
use mangrove_protocol::fold::{Register, Stamp};
use mangrove_protocol::id::{ContextId, DeltaId, PeerId};
use mangrove_protocol::lane::Lane;
use mangrove_protocol::machine::{Event, Machine, OnFull, Turn, Verdict};
use mangrove_protocol::op::{Key, Value};
use mangrove_protocol::overlay::Overlay;
use mangrove_protocol::view::{Memory, Registers};
use mangrove_store::{Pen, Proof, WriteError, open};
use prometheus_client::registry::Registry;
use tokio::time::timeout;

use crate::drive::{self, Begun, Clock, Hands};
use crate::inbox::{self, Capacity, Reply};
use crate::start::{Closing, failed};
use crate::warden::{Actor, Exit, Signal, Signals, Warden};

const SOON: Duration = Duration::from_secs(20);

enum Told {
    /// Something is to be booked, and to be acknowledged once it is durable.
    Book(Reply<u64>),
    /// What came of it.
    Came(Reply<u64>, Result<Proof, WriteError>),
    /// Work panicked.
    Fell,
}

impl Event for Told {
    fn label(&self) -> &'static str {
        match self {
            Self::Book(_) => "book",
            Self::Came(..) => "came",
            Self::Fell => "fell",
        }
    }

    fn lane(&self) -> Lane {
        Lane::Api
    }

    fn on_full(&self) -> OnFull {
        OnFull::Shed
    }
}

/// Books one thing at a time.
#[derive(Default)]
struct Books {
    booked: u64,
}

impl Machine for Books {
    type Event = Told;
    type Effect = Reply<u64>;

    fn on(&mut self, event: Told, turn: &mut Turn<'_, Reply<u64>>) -> Verdict {
        match event {
            Told::Book(reply) => turn.want(reply),
            Told::Came(reply, Ok(proof)) => {
                self.booked += 1;
                acknowledge(reply, self.booked, &proof);
            }
            // Not acknowledged. That the node must not go on, others notice.
            Told::Came(..) | Told::Fell => {}
        }
        Verdict::Go
    }
}

fn acknowledge(reply: Reply<u64>, booked: u64, _proof: &impl Durable) {
    reply.send(booked);
}

struct Clerk(Arc<Pen>);

impl Hands<Books> for Clerk {
    fn carry_out(&mut self, reply: Reply<u64>) -> Option<Begun<Told>> {
        let nothing = Memory::default();
        let mut over = Overlay::new(&nothing);
        let stamp = Stamp { hlc: Hlc::new(1, 0), delta: DeltaId::ZERO, op: 0 };
        let author = PeerId::from_bytes([1; 32]);
        let value = Some(Value::new(b"7").unwrap());
        over.put::<Registers>(Key::new("a").unwrap(), Register { value, stamp, author });
        let (batch, pen) = (over.into_batch(), Arc::clone(&self.0));
        let work = async move {
            let receipt = pen.commit_in_turn(&batch, true).await;
            match receipt {
                Ok(receipt) => Told::Came(reply, receipt.await),
                Err(_) => Told::Fell,
            }
        };
        Some(Begun::new("commit", work, Told::Fell))
    }
}

struct Never;

impl Signals for Never {
    async fn next(&mut self) -> Signal {
        std::future::pending().await
    }
}

#[test]
fn a_store_that_fails_ends_the_node_and_nothing_is_acknowledged_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(folder.path()).unwrap().join("store");
    let (writer, reader) = open(&path, &Settings::default(), None).unwrap();
    let pen = Arc::new(writer.pen(ContextId::from_bytes([7; 32])).unwrap());
    let (acknowledged, refused) = (AtomicU32::new(0), AtomicU32::new(0));
    let exit = System::new().block_on(async {
        let capacity = Capacity { events: 100, bytes: 100 };
        let name: Arc<str> = "books".into();
        let config = inbox::Config { name: Arc::clone(&name), capacity, quiet: 1_000 };
        let (outlet, inbox) = inbox::inbox(config);
        let (in_flight, in_flight_bytes) = (1, 100);
        let clock = Clock::system();
        let config = drive::Config { name, in_flight, in_flight_bytes, slow: SOON, clock };
        let metrics = drive::Metrics::default();
        let make = move || {
            let made = (Books::default(), Clerk(Arc::clone(&pen)));
            async { Ok(made) }
        };
        let actor = Actor::driven(Arbiter::new().handle(), inbox, (config, metrics), make);
        let mut warden = Warden::new(SOON, &mut Registry::default());
        let closing = Closing::new(writer, reader.clone());
        warden.on_stop("store", 1, move |_| closing.clone().close());
        warden.alarm(failed(reader));
        warden.begin("actors", 1, [actor]);
        let booking = async {
            for booked in 1..=20 {
                assert_eq!(outlet.ask(Told::Book).unwrap().await, Ok(booked));
            }
            failpoint::global().set_all("store.sync_fails=error").unwrap();
            for _ in 0..20 {
                let answer = match outlet.ask(Told::Book) {
                    Ok(answer) => answer.await.is_ok(),
                    Err(_) => false,
                };
                if answer { &acknowledged } else { &refused }.fetch_add(1, Ordering::Relaxed);
            }
        };
        let (exit, ()) =
            timeout(SOON, async { tokio::join!(warden.run(Never), booking) }).await.unwrap();
        exit
    });
    failpoint::global().set_all("store.sync_fails").unwrap();
    let Exit::Fatal(why) = &exit else { panic!("{exit:?}") };
    assert!(why.contains("store.sync_fails"), "{why}");
    assert_eq!(exit.code(), 101);
    assert_eq!((acknowledged.into_inner(), refused.into_inner()), (0, 20));
}
