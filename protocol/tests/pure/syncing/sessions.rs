//! Two nodes over a link that counts: what they end up with, and what it cost.

use std::collections::VecDeque;

use mangrove_protocol::effect::Input;
use mangrove_protocol::governance::Role;
use mangrove_protocol::replica::Mode;
use mangrove_protocol::sync::{Ending, Message, Pair, Refused, Said, Session};

use crate::tables;
use crate::town::{Town, peer};

/// What a session came to.
#[derive(Debug, Default)]
struct Report {
    /// Bytes each way, and those of them that are deltas.
    bytes: [usize; 2],
    deltas: [usize; 2],
    /// How often the direction changed.
    turns: usize,
    endings: [Option<Ending>; 2],
}

/// A link between two, one of which begins.
struct Link<'t> {
    town: &'t mut Town,
    who: [&'static str; 2],
    sessions: [Session; 2],
    /// On the way to each.
    queues: [VecDeque<Vec<u8>>; 2],
    report: Report,
    /// After so many messages the link is cut.
    cut_after: usize,
}

impl<'t> Link<'t> {
    fn new(town: &'t mut Town, opener: &'static str, answerer: &'static str) -> Self {
        let context = town.node(opener).replica.context();
        let pair = |us, them| Pair { context, us: peer(us), them: peer(them) };
        let (first, hello) =
            Session::open(pair(opener, answerer), [1; 16], &town.node(opener).replica);
        let second = Session::answer(pair(answerer, opener), [2; 16]);
        let mut link = Self {
            town,
            who: [opener, answerer],
            sessions: [first, second],
            queues: [VecDeque::new(), VecDeque::new()],
            report: Report::default(),
            cut_after: usize::MAX,
        };
        link.send(0, &hello);
        link
    }

    fn send(&mut self, from: usize, message: &Message) {
        let bytes = message.encode();
        self.report.bytes[from] += bytes.len() + 4;
        if let Message::Batch { deltas } = message {
            self.report.deltas[from] += deltas.iter().map(Vec::len).sum::<usize>();
        }
        self.queues[1 - from].push_back(bytes);
    }

    fn carry_out(&mut self, at: usize, said: Vec<Said>) {
        for one in said {
            match one {
                Said::Send(message) => self.send(at, &message),
                Said::Deliver(deltas) => {
                    self.town.give(self.who[at], &deltas);
                }
                Said::Agreed => {
                    let with = peer(self.who[1 - at]);
                    self.town.node(self.who[at]).feed(Input::Agreed { with });
                }
                Said::Over(ending) => {
                    assert_eq!(self.report.endings[at], None, "ends once");
                    self.report.endings[at] = Some(ending);
                }
            }
        }
        let crank = self.town.node(self.who[at]);
        let said = self.sessions[at].go_on(&crank.replica, &crank.memory);
        if !said.is_empty() {
            self.carry_out(at, said);
        }
    }

    fn run(mut self) -> Report {
        let mut carried = 0;
        let mut last = 2;
        while let Some(at) = [1, 0].into_iter().find(|at| !self.queues[*at].is_empty()) {
            // All that is under way in one direction arrives before anything is answered.
            let at = if last < 2 && !self.queues[last].is_empty() { last } else { at };
            let bytes = self.queues[at].pop_front().unwrap();
            if last != at {
                self.report.turns += 1;
                last = at;
            }
            carried += 1;
            if carried > self.cut_after {
                break;
            }
            let message = Message::decode(&bytes).unwrap();
            let crank = self.town.node(self.who[at]);
            let said = self.sessions[at].on(message, &crank.replica, &crank.memory);
            self.carry_out(at, said);
        }
        self.report
    }
}

fn sync(town: &mut Town, opener: &'static str, answerer: &'static str) -> Report {
    Link::new(town, opener, answerer).run()
}

fn same(town: &mut Town, one: &'static str, other: &'static str) {
    let stored = town.node(one).replica.stored();
    assert_eq!(stored, town.node(other).replica.stored());
    let applied = town.node(one).replica.applied();
    assert_eq!(applied, town.node(other).replica.applied());
    let root = tables::root(&town.node(one).memory);
    assert_eq!(root, tables::root(&town.node(other).memory));
}

#[test]
fn equal_nodes_are_done_in_one_round_trip_and_few_bytes() {
    let mut town = Town::honest();
    let report = sync(&mut town, "ann", "ben");
    assert_eq!(report.endings, [Some(Ending::Equal); 2]);
    assert_eq!(report.turns, 2);
    assert!(report.bytes.iter().all(|bytes| *bytes < 300), "{report:?}");
}

#[test]
fn each_gets_what_the_other_has() {
    let mut town = Town::honest();
    for text in ["a", "b", "c"] {
        town.write("ann", text);
        town.write("ben", text);
    }
    let report = sync(&mut town, "ann", "ben");
    assert_eq!(report.endings, [Some(Ending::Done); 2], "{report:?}");
    same(&mut town, "ann", "ben");
    assert_eq!(sync(&mut town, "ben", "ann").endings, [Some(Ending::Equal); 2]);
}

#[test]
fn governance_goes_first_and_says_what_of_the_data_counts() {
    let mut town = Town::honest();
    town.write("ann", "early");
    town.deliver_all(&["owner", "ann", "ben", "cay"]);
    town.decide("owner", town.remove("cay"));
    town.write("cay", "late");
    town.write("ben", "meanwhile");
    let report = sync(&mut town, "ben", "owner");
    assert_eq!(report.endings, [Some(Ending::Done); 2], "{report:?}");
    same(&mut town, "ben", "owner");
    assert!(town.role("cay", "ben").is_none());
}

#[test]
fn who_was_removed_is_told_so_and_shown_no_data() {
    let mut town = Town::honest();
    town.decide("owner", town.remove("cay"));
    town.write("owner", "secret");
    let report = sync(&mut town, "cay", "owner");
    assert_eq!(town.role("cay", "cay"), None);
    let refused =
        [Some(Ending::Refused(Refused::NotAMember)), Some(Ending::Gave(Refused::NotAMember))];
    assert_eq!(report.endings, refused, "{report:?}");
    assert!(town.read("cay", "secret").is_none());
}

#[test]
fn a_newcomer_gets_everything_from_nothing() {
    let mut town = Town::honest();
    for at in 0..300 {
        town.write("ann", &at.to_string());
    }
    town.deliver_all(&["owner", "ann"]);
    town.decide("owner", town.grant("dan", Role::Writer));
    town.build("dan", Mode::Full);
    town.node("dan").feed(Input::Tick);
    let report = sync(&mut town, "dan", "owner");
    assert_eq!(report.endings, [Some(Ending::Done); 2], "{report:?}");
    same(&mut town, "dan", "owner");
    let overhead = report.bytes[1] - report.deltas[1];
    assert!(overhead < 3_000 + report.deltas[1] / 50, "{report:?}");
}

#[test]
fn round_trips_do_not_grow_with_history() {
    let turns = |count: usize| {
        let mut town = Town::honest();
        for at in 0..count {
            town.write("ann", &at.to_string());
        }
        sync(&mut town, "ben", "ann").turns
    };
    assert_eq!(turns(1), turns(400));
}

#[test]
fn a_session_cut_anywhere_resumes_without_sending_again_what_is_stored() {
    for cut_after in 1..14 {
        let mut town = Town::honest();
        for at in 0..40 {
            town.write("ann", &at.to_string());
        }
        let mut link = Link::new(&mut town, "ben", "ann");
        link.cut_after = cut_after;
        let first = link.run();
        let second = sync(&mut town, "ben", "ann");
        same(&mut town, "ann", "ben");
        let whole: usize = [&first, &second].iter().map(|it| it.deltas[1]).sum();
        let mut fresh = Town::honest();
        for at in 0..40 {
            fresh.write("ann", &at.to_string());
        }
        let once = sync(&mut fresh, "ben", "ann").deltas[1];
        // What was on its way when the link was cut is lost with it.
        assert!(whole <= 2 * once && second.deltas[1] <= once, "{cut_after}: {whole} {once}");
    }
}

#[test]
fn many_deltas_cost_little_more_than_their_bytes() {
    let mut town = Town::honest();
    for at in 0..2_000 {
        town.write("ann", &at.to_string());
    }
    let report = sync(&mut town, "ben", "ann");
    same(&mut town, "ann", "ben");
    let overhead = report.bytes[1] - report.deltas[1];
    assert!(overhead < 1_000 + report.deltas[1] / 50, "{report:?}");
}

#[test]
fn both_branches_of_a_fork_get_everywhere() {
    let mut town = Town::honest();
    for at in 0..50 {
        town.write("ann", &at.to_string());
    }
    town.deliver_all(&["owner", "ann", "ben", "cay"]);
    // Two copies of one node go on apart.
    let twin = town.node("ann").copy();
    for at in 0..20 {
        town.write("ann", &format!("one {at}"));
    }
    sync(&mut town, "ben", "ann");
    *town.node("ann") = twin;
    for at in 0..30 {
        town.write("ann", &format!("other {at}"));
    }
    sync(&mut town, "cay", "ann");
    for (opener, answerer) in [("ben", "cay"), ("owner", "ben")] {
        let report = sync(&mut town, opener, answerer);
        assert_eq!(report.endings, [Some(Ending::Done); 2], "{report:?}");
        same(&mut town, opener, answerer);
    }
    assert!(town.read("owner", "one 19").is_some() && town.read("owner", "other 29").is_some());
}

#[test]
fn who_does_not_know_the_context_learns_nothing() {
    let mut town = Town::honest();
    let context = mangrove_protocol::id::ContextId::from_bytes([9; 32]);
    let pair = Pair { context, us: peer("dan"), them: peer("ann") };
    let (_, hello) = Session::open(pair, [1; 16], &town.node("ben").replica);
    let context = town.node("ann").replica.context();
    let mut session =
        Session::answer(Pair { context, us: peer("ann"), them: peer("dan") }, [2; 16]);
    let ann = town.node("ann");
    let said = session.on(hello, &ann.replica, &ann.memory);
    let refused = Message::Refused { why: Refused::UnknownContext, retry_after_ms: None };
    assert!(
        matches!(&said[..], [Said::Send(message), Said::Over(Ending::Gave(_))] if *message == refused)
    );
}
