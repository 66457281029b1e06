//! Rows of deltas with bad signatures: what follows vouches for what came before, and nobody is blamed.

use mangrove_protocol::delta::Delta;
use mangrove_protocol::effect::Input;
use mangrove_protocol::id::{ContextId, Plane};
use mangrove_protocol::sync::{Broken, Ending, Message, Pair, Said, Session};

use crate::town::{Town, peer};

/// Some deltas of one log, and a session of another node that is ready for them.
struct Ready {
    town: Town,
    session: Session,
    row: Vec<Delta>,
}

impl Ready {
    fn new(count: usize) -> Self {
        let mut town = Town::honest();
        let row = (0..count).flat_map(|at| town.write("ann", &at.to_string()));
        let row = row.filter(|delta| delta.log().plane == Plane::Data).collect();
        let context = town.node("ann").replica.context();
        let pair = |us, them| Pair { context, us: peer(us), them: peer(them) };
        let ann = town.node("ann");
        let (mut server, hello) = Session::open(pair("ann", "ben"), [1; 16], &ann.replica);
        let mut session = Session::answer(pair("ben", "ann"), [2; 16]);
        // Until the server would send its first batch.
        let mut to_ben = vec![hello];
        while let Some(message) = to_ben.pop() {
            let ben = &town.nodes["ben"];
            let said = session.on(message, &ben.replica, &ben.memory);
            let answers = said.into_iter().filter_map(|said| match said {
                Said::Send(message) => Some(message),
                _ => None,
            });
            for message in answers.collect::<Vec<_>>() {
                let ann = &town.nodes["ann"];
                let said = server.on(message, &ann.replica, &ann.memory);
                let next = said.into_iter().filter_map(|said| match said {
                    Said::Send(message @ (Message::Lines { .. } | Message::Ends { .. })) => {
                        Some(message)
                    }
                    _ => None,
                });
                to_ben.extend(next);
            }
        }
        Self { town, session, row }
    }

    fn receive(&mut self, deltas: Vec<Vec<u8>>) -> Vec<Said> {
        let ben = &self.town.nodes["ben"];
        self.session.on(Message::Batch { deltas }, &ben.replica, &ben.memory)
    }

    /// How many of these are believed.
    fn believed(&mut self, deltas: Vec<Vec<u8>>) -> usize {
        let said = self.receive(deltas);
        let delivered = said.iter().map(|said| match said {
            Said::Deliver(deltas) => deltas.len(),
            Said::Over(ending) => panic!("{ending:?}"),
            _ => 0,
        });
        let count = delivered.sum();
        for one in said {
            if let Said::Deliver(deltas) = one {
                let from = peer("ann");
                self.town.node("ben").feed(Input::Deltas { from, deltas });
            }
        }
        count
    }

    /// The row, some of which with bad signatures.
    fn garbled(&self, bad: impl Fn(usize) -> bool) -> Vec<Vec<u8>> {
        let bytes = self.row.iter().enumerate().map(|(at, delta)| {
            let mut bytes = delta.bytes().to_vec();
            if bad(at) {
                *bytes.last_mut().unwrap() ^= 1;
            }
            bytes
        });
        bytes.collect()
    }
}

#[test]
fn a_bad_signature_in_the_middle_is_vouched_for() {
    let mut ready = Ready::new(10);
    let row = ready.garbled(|at| at % 3 == 1);
    assert_eq!(ready.believed(row), 10);
    assert!(ready.town.read("ben", "9").is_some());
}

#[test]
fn a_bad_signature_at_the_end_waits_for_a_good_one() {
    let mut ready = Ready::new(10);
    let row = ready.garbled(|at| at == 4 || at == 5);
    assert_eq!(ready.believed(row[..6].to_vec()), 4);
    assert_eq!(ready.believed(row[6..].to_vec()), 6);
    assert!(ready.town.read("ben", "9").is_some());
}

#[test]
fn a_tail_that_nothing_vouches_for_is_left_and_nobody_blamed() {
    let mut ready = Ready::new(10);
    let row = ready.garbled(|at| at >= 7);
    assert_eq!(ready.believed(row), 7);
    assert!(ready.town.read("ben", "6").is_some() && ready.town.read("ben", "7").is_none());
    assert!(!ready.session.is_over());
}

#[test]
fn too_many_bad_signatures_in_a_row_end_it() {
    let mut ready = Ready::new(70);
    let row = ready.garbled(|at| at >= 2);
    let said = ready.receive(row);
    assert!(matches!(said.last(), Some(Said::Over(Ending::Broken(Broken::Unsigned)))), "{said:?}");
}

#[test]
fn what_is_no_delta_or_belongs_elsewhere_ends_it() {
    let mut ready = Ready::new(1);
    let said = ready.receive(vec![vec![1, 2, 3]]);
    assert!(matches!(said.last(), Some(Said::Over(Ending::Broken(Broken::Unreadable)))));
    let mut ready = Ready::new(1);
    let elsewhere = crate::crank::Pen::new(1, 0).write();
    assert_ne!(elsewhere.context(), ContextId::from_bytes([0; 32]));
    let said = ready.receive(vec![elsewhere.bytes().to_vec()]);
    assert!(matches!(said.last(), Some(Said::Over(Ending::Broken(Broken::Elsewhere)))));
}
