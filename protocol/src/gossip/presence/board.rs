//! Who is present in a context, by what its members said of themselves.

use std::collections::BTreeMap;

use super::State;
use crate::clock::MAX_AHEAD_MS;
use crate::id::PeerId;
use crate::limits::MEMBERS_PER_CONTEXT;

/// For how long a state holds after it came.
pub const PRESENCE_MS: u64 = 30_000;

/// Who is present in one context, and the time of the last word of each member for as long as an older
/// one would still be believed by its time. So what is heard again is never taken for new.
///
/// How long a state holds is counted on the clock that it is heard by: those of others differ.
#[derive(Debug, Default)]
pub struct Board {
    members: BTreeMap<PeerId, Word>,
}

/// The last word of a member.
#[derive(Debug)]
struct Word {
    at_ms: u64,
    /// What it says; nothing any more once it is over.
    shown: Option<Shown>,
}

#[derive(Debug)]
struct Shown {
    state: Vec<u8>,
    heard_ms: u64,
}

impl Board {
    /// Takes in what a member says of itself, whom the caller knows to be one. Whether it did: not if
    /// the time of it is not above that of what the member said before, or too far off this clock
    /// either way, or if there are as many as there is room for.
    pub fn note(&mut self, member: PeerId, said: State, now_ms: u64) -> bool {
        let State { at_ms, state } = said;
        if !is_near(at_ms, now_ms) || !self.is_news(member, at_ms, now_ms) {
            return false;
        }
        let shown = (!state.is_empty()).then_some(Shown { state, heard_ms: now_ms });
        self.members.insert(member, Word { at_ms, shown });
        true
    }

    /// Takes a member off, as one who was removed. Whether it was there.
    pub fn clear(&mut self, member: PeerId) -> bool {
        self.members.get_mut(&member).and_then(|word| word.shown.take()).is_some()
    }

    /// Who is present, with what each said last and when, by its own clock.
    pub fn present(&self, now_ms: u64) -> Vec<(PeerId, Vec<u8>, u64)> {
        let shown = |(member, word): (&PeerId, &Word)| {
            let shown = word.shown.as_ref().filter(|shown| shown.holds(now_ms))?;
            Some((*member, shown.state.clone(), word.at_ms))
        };
        self.members.iter().filter_map(shown).collect()
    }

    /// When the next one vanishes, unless it is heard again: [`Self::expire`] is due then.
    pub fn expires_ms(&self) -> Option<u64> {
        let shown = self.members.values().filter_map(|word| word.shown.as_ref());
        shown.map(|shown| shown.heard_ms.saturating_add(PRESENCE_MS)).min()
    }

    /// Takes off those whose time is over. Who they are.
    pub fn expire(&mut self, now_ms: u64) -> Vec<PeerId> {
        let vanish = |(member, word): (&PeerId, &mut Word)| {
            word.shown.take_if(|shown| !shown.holds(now_ms)).map(|_| *member)
        };
        let gone = self.members.iter_mut().filter_map(vanish).collect();
        self.forget(now_ms);
        gone
    }

    /// Whether a word of a member is later than its last one, and there is room for it.
    fn is_news(&mut self, member: PeerId, at_ms: u64, now_ms: u64) -> bool {
        if let Some(last) = self.members.get(&member) {
            // Where a clock was set back, what was said before says nothing about what comes.
            return at_ms > last.at_ms || !is_near(last.at_ms, now_ms);
        }
        if self.is_full() {
            self.forget(now_ms);
        }
        !self.is_full()
    }

    /// Forgets those whose older words are refused by their time alone.
    fn forget(&mut self, now_ms: u64) {
        self.members.retain(|_, word| word.shown.is_some() || is_near(word.at_ms, now_ms));
    }

    fn is_full(&self) -> bool {
        self.members.len() as u64 >= MEMBERS_PER_CONTEXT
    }
}

impl Shown {
    /// Whether it still holds. What was heard before the clock was set back does not.
    const fn holds(&self, now_ms: u64) -> bool {
        self.heard_ms.abs_diff(now_ms) < PRESENCE_MS
    }
}

/// Whether a time is one that may be believed.
const fn is_near(at_ms: u64, now_ms: u64) -> bool {
    at_ms.abs_diff(now_ms) <= MAX_AHEAD_MS
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const NOW_MS: u64 = 100_000_000;
    const ANN: PeerId = PeerId::from_bytes([1; 32]);
    const BOB: PeerId = PeerId::from_bytes([2; 32]);

    fn says(at_ms: u64, state: &[u8]) -> State {
        State { at_ms, state: state.to_vec() }
    }

    fn names(board: &Board, now_ms: u64) -> Vec<PeerId> {
        board.present(now_ms).into_iter().map(|(member, ..)| member).collect()
    }

    #[test]
    fn the_last_word_of_each_member_counts() {
        let mut board = Board::default();
        assert!(board.note(ANN, says(NOW_MS, b"here"), NOW_MS));
        assert!(board.note(BOB, says(NOW_MS - 9, b"there"), NOW_MS));
        assert!(board.note(ANN, says(NOW_MS + 1, b"typing"), NOW_MS));
        let expect = [(ANN, b"typing".to_vec(), NOW_MS + 1), (BOB, b"there".to_vec(), NOW_MS - 9)];
        assert_eq!(board.present(NOW_MS), expect);
        for at_ms in [NOW_MS, NOW_MS + 1] {
            assert!(!board.note(ANN, says(at_ms, b"late"), NOW_MS), "{at_ms}");
        }
        assert_eq!(board.present(NOW_MS), expect);
    }

    #[test]
    fn who_says_nothing_or_is_cleared_is_gone_and_stays_so() {
        let mut board = Board::default();
        assert!(!board.clear(ANN));
        board.note(ANN, says(NOW_MS, b"here"), NOW_MS);
        assert!(board.note(ANN, says(NOW_MS + 2, b""), NOW_MS));
        assert_eq!((names(&board, NOW_MS), board.expires_ms()), (vec![], None));
        assert!(!board.note(ANN, says(NOW_MS + 1, b"here"), NOW_MS));
        board.note(ANN, says(NOW_MS + 3, b"back"), NOW_MS);
        assert!(board.clear(ANN) && !board.clear(ANN));
        assert!(!board.note(ANN, says(NOW_MS + 3, b"back"), NOW_MS));
        assert_eq!(names(&board, NOW_MS), []);
    }

    #[test]
    fn a_clock_that_is_far_off_is_not_believed() {
        for off_ms in [MAX_AHEAD_MS, MAX_AHEAD_MS + 1] {
            for at_ms in [NOW_MS - off_ms, NOW_MS + off_ms] {
                let noted = Board::default().note(ANN, says(at_ms, b"here"), NOW_MS);
                assert_eq!(noted, off_ms == MAX_AHEAD_MS, "{at_ms}");
            }
        }
    }

    #[test]
    fn whoever_is_not_heard_of_again_vanishes_counted_from_when_they_were_heard() {
        let mut board = Board::default();
        board.note(ANN, says(NOW_MS - 50_000, b"slow clock"), NOW_MS);
        board.note(BOB, says(NOW_MS + 50_000, b"fast clock"), NOW_MS + 10);
        let over_ms = NOW_MS + PRESENCE_MS;
        assert_eq!(board.expires_ms(), Some(over_ms));
        assert_eq!(names(&board, over_ms - 1), [ANN, BOB]);
        assert_eq!(names(&board, over_ms), [BOB]);
        assert_eq!(board.expire(over_ms - 1), []);
        assert_eq!(board.expire(over_ms), [ANN]);
        assert_eq!(board.expire(over_ms), []);
        assert_eq!(board.expires_ms(), Some(over_ms + 10));
        assert_eq!(board.expire(over_ms + 10), [BOB]);
        assert_eq!(board.expires_ms(), None);
    }

    #[test]
    fn what_is_sent_again_brings_nobody_back() {
        for at_ms in [NOW_MS - MAX_AHEAD_MS, NOW_MS, NOW_MS + MAX_AHEAD_MS] {
            let mut board = Board::default();
            assert!(board.note(ANN, says(at_ms, b"here"), NOW_MS));
            for now_ms in (NOW_MS..NOW_MS + 3 * MAX_AHEAD_MS).step_by(500) {
                board.expire(now_ms);
                assert!(!board.note(ANN, says(at_ms, b"here"), now_ms), "{now_ms}");
            }
            assert!(board.members.is_empty());
        }
    }

    #[test]
    fn a_clock_that_is_set_back_leaves_nobody_there_and_keeps_nobody_out() {
        let mut board = Board::default();
        board.note(ANN, says(NOW_MS, b"here"), NOW_MS);
        let back_ms = NOW_MS - 3_600_000;
        assert_eq!(names(&board, back_ms), []);
        assert!(board.note(ANN, says(back_ms, b"still"), back_ms));
        assert_eq!(names(&board, back_ms), [ANN]);
    }

    #[test]
    fn there_is_room_for_the_members_of_a_context_and_again_when_some_are_forgotten() {
        let member = |at: u64| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&at.to_le_bytes());
            PeerId::from_bytes(bytes)
        };
        let mut board = Board::default();
        for at in 0..MEMBERS_PER_CONTEXT {
            assert!(board.note(member(at), says(NOW_MS, b"here"), NOW_MS));
        }
        assert!(!board.note(member(MEMBERS_PER_CONTEXT), says(NOW_MS, b"here"), NOW_MS));
        assert!(board.note(member(7), says(NOW_MS + 1, b"still"), NOW_MS));
        let later_ms = NOW_MS + MAX_AHEAD_MS + 2;
        assert_eq!(board.expire(later_ms).len() as u64, MEMBERS_PER_CONTEXT);
        assert!(board.note(member(MEMBERS_PER_CONTEXT), says(later_ms, b"here"), later_ms));
        assert_eq!(board.members.len(), 1);
    }

    proptest! {
        #[test]
        fn no_word_counts_twice_and_nobody_stays_for_longer_than_it_holds(
            words in vec((0..4_u8, 0..200_000_u64, 0..20_000_u64, any::<bool>()), 1..60),
        ) {
            let (mut board, mut now_ms, mut taken) = (Board::default(), NOW_MS, Vec::new());
            for (who, at_ms, pause_ms, sweeps) in words {
                now_ms += pause_ms;
                let (member, at_ms) = (PeerId::from_bytes([who; 32]), NOW_MS + at_ms);
                if sweeps {
                    board.expire(now_ms);
                    prop_assert!(board.expires_ms().is_none_or(|at_ms| at_ms > now_ms));
                }
                if board.note(member, says(at_ms, b"x"), now_ms) {
                    taken.push((member, at_ms, now_ms));
                }
                let last = |who| taken.iter().rfind(|(member, ..)| *member == who);
                for (member, _, at_ms) in board.present(now_ms) {
                    let (_, said_ms, heard_ms) = last(member).unwrap();
                    prop_assert!(*said_ms == at_ms && now_ms - heard_ms < PRESENCE_MS);
                }
            }
            let order: Vec<_> = taken.iter().map(|(member, at_ms, _)| (*member, *at_ms)).collect();
            for (at, (member, at_ms)) in order.iter().enumerate() {
                let later = order[at + 1..].iter().filter(|(other, _)| other == member);
                prop_assert!(later.into_iter().all(|(_, later_ms)| later_ms > at_ms));
            }
        }
    }
}
