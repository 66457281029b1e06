//! Whatever happens to sessions, every place that is lacking is in exactly one hand, and in the end
//! in none.

use std::collections::BTreeMap;

use mangrove_protocol::id::{Incarnation, LogId, Plane};
use mangrove_protocol::planted::Planted;
use mangrove_protocol::sync::{Came, Link, Name, Offer, Span, Work};
use proptest::prelude::*;

use crate::crank::Dice;
use crate::make::{id, keys};

fn log(number: u8) -> LogId {
    LogId {
        author: keys(number).peer(),
        authority: id(3).into(),
        incarnation: Incarnation::new(1),
        plane: Plane::Data,
    }
}

/// Sessions at random, each with what it was asked for and has not given.
struct Books {
    work: Work,
    asked: BTreeMap<Link, Vec<(u8, u64, u64)>>,
    /// What came early and is in hand.
    early: Vec<(u8, u64, u64)>,
    dice: Dice,
    last: u64,
}

impl Books {
    fn someone(&mut self) -> Option<Link> {
        let at = self.dice.below(self.asked.len());
        self.asked.keys().nth(at).copied()
    }

    fn step(&mut self) {
        let what = self.dice.below(9);
        let (number, places) = (self.dice.below(3), self.dice.below(200) as u64);
        let number = u8::try_from(number).unwrap();
        let Some(link) = self.someone().filter(|_| what > 0) else {
            self.last += 1;
            self.asked.insert(Link(self.last), Vec::new());
            return;
        };
        match what {
            1 => {
                let span = Span::Row { after: 0, until: places + 1 };
                let name = Name([number; 4]);
                self.work.offer(link, &Offer { name, log: Some(log(number)), span });
            }
            2 => {
                for share in self.work.take(link, places) {
                    let Span::Row { after, until } = share.span else { continue };
                    self.asked.get_mut(&link).unwrap().push((share.name.0[0], after, until));
                }
            }
            3 | 4 => self.come(link, what == 4),
            5 => {
                self.work.take_back(link);
                self.asked.get_mut(&link).unwrap().clear();
            }
            8 => {
                self.work.decline(link, &log(number));
                self.asked.get_mut(&link).unwrap().retain(|(of, ..)| *of != number);
            }
            6 => {
                // Of one log nothing is asked for beyond a place, until that changes.
                let limit = (places > 20).then_some(places);
                let beyond = self.work.limit(|of| limit.filter(|_| *of == log(number)));
                for link in beyond.into_keys().filter(|link| link.0 % 2 == 0) {
                    self.work.take_back(link);
                    self.asked.get_mut(&link).unwrap().clear();
                }
            }
            _ => {
                self.asked.remove(&link);
                self.work.end(link, &[]);
            }
        }
    }

    /// What came early and is in turn now is handed over.
    fn release(&mut self) {
        let work = &mut self.work;
        self.early.retain(|(number, _, _)| work.covered(&log(*number)).is_some());
        let is_next = |work: &Work, (number, after, _): &(u8, u64, u64)| {
            work.covered(&log(*number)).is_none_or(|covered| *after <= covered)
        };
        while let Some(at) = self.early.iter().position(|part| is_next(work, part)) {
            let (number, _, until) = self.early.remove(at);
            work.cover(&log(number), until);
        }
    }

    /// Whether a session is kept though there is nothing that anybody can be asked for.
    fn is_stuck(&self) -> bool {
        let nothing = |link: &Link| self.work.clone().take(*link, 1_000).is_empty();
        self.asked.values().all(Vec::is_empty)
            && self.asked.keys().all(nothing)
            && self.asked.keys().any(|link| self.work.concerns(*link))
    }

    /// Some of what a session was asked for first comes, and perhaps it says that this was all.
    fn come(&mut self, link: Link, is_all: bool) {
        let frayed = self.dice.below(2) == 0;
        let asked = self.asked.get_mut(&link).unwrap();
        let Some((number, after, until)) = asked.first_mut() else { return };
        let count = self.dice.below(usize::try_from(*until - *after).unwrap() + 1) as u64;
        if count > 0 {
            if self.work.came(link, &log(*number), *after + 1, *after + count) == Came::Early {
                self.early.push((*number, *after, *after + count));
            }
            *after += count;
        }
        if is_all {
            let (number, after, until) = asked.remove(0);
            self.work.given(link, &log(number), Span::Row { after, until }, frayed);
        }
    }
}

proptest! {
    #[test]
    fn every_place_is_in_one_hand(seed: u64, steps in 1..200_usize) {
        let (work, dice) = (Work::new(Planted::default()), Dice::new(seed));
        let mut books = Books { work, asked: BTreeMap::new(), early: Vec::new(), dice, last: 0 };
        for _ in 0..steps {
            books.step();
            books.release();
            let asked = &books.asked;
            prop_assert_eq!(books.work.fault(|link| asked.contains_key(&link)), None);
            prop_assert!(!books.is_stuck());
        }
        for link in std::mem::take(&mut books.asked).into_keys() {
            books.work.end(link, &[]);
        }
        prop_assert!(books.work.is_empty());
    }
}
