//! What a later program writes is kept until it can be read, said, and held against nobody.

use std::time::Duration;

use mangrove_cluster::{Cluster, Kind, Member, Node, Stranger, edits, eventually};
use mangrove_protocol::delta::Delta;
use mangrove_protocol::op::{Key, Op, Payload, Transaction, Undecodable, Value as Bytes};
use mangrove_protocol::sync::{Ending, Message};
use serde_json::{Value, json};

use crate::place;

/// Something that has not happened then never will.
const LONG: Duration = Duration::from_secs(30);
/// Bytes of a payload before the tag of its first operation: its version, and two counts.
const BEFORE_TAG: usize = 1 + 4 + 4;

/// Two nodes, and a member in place of a third one, that has stopped: it is connected to the first.
struct Later {
    cluster: Cluster,
    member: Member,
    stranger: Stranger,
}

impl Later {
    fn start() -> Self {
        let mut cluster = Cluster::meet(&place(), Cluster::plans(3));
        cluster.rpc(2).apply(&cluster.context, &[edits::put("c", "is here")]).unwrap();
        cluster.converge();
        let mut third = cluster.nodes.pop().unwrap();
        assert_eq!(third.stop(), Some(143));
        let member = Member::of(&third, &cluster.context);
        let stranger = Stranger::start(member.keys());
        assert_eq!(stranger.peer().to_string(), third.peer());
        assert!(stranger.meet(cluster.node(0)), "the node takes the member for what it is");
        stranger.join(member.topic());
        let later = Self { cluster, member, stranger };
        eventually("the node is where the context meets", LONG, || later.is_there());
        later
    }

    fn is_there(&self) -> Result<(), &'static str> {
        let node = self.cluster.node(0);
        self.stranger.finds(node, self.member.topic()).then_some(()).ok_or("it is not")
    }

    /// The member says something on the mesh.
    fn say(&self, bytes: Vec<u8>) {
        assert!(self.stranger.say(self.member.topic(), bytes), "there is room for it");
    }

    /// It tells of a delta, and the nodes, of whom it knows but one, have it.
    fn tell(&self, delta: &Delta) {
        self.say(self.member.message(delta));
    }

    /// It writes something that everybody can read, and both nodes show it.
    fn write_what_all_read(&mut self, key: &str) {
        let delta = self.member.write(put(key));
        self.tell(&delta);
        for node in &self.cluster.nodes {
            eventually("what the member wrote is shown", LONG, || shows(node, &self.cluster, key));
        }
    }

    /// What a node says of the context.
    fn context(&self, at: usize) -> Value {
        self.cluster.rpc(at).context(&self.cluster.context).unwrap().raw
    }

    /// Waits until the first node says that it is too old.
    fn until_it_needs_an_upgrade(&self) {
        eventually("it says that it needs an upgrade", LONG, || {
            let why = self.context(0)["why"].clone();
            let says = why.as_str().is_some_and(|why| why.starts_with("needs upgrade"));
            if says { Ok(()) } else { Err(format!("why: {why}")) }
        });
    }

    /// The first node holds nothing against the member, and lets it stay.
    fn assert_nobody_is_blamed(&self) {
        let net = self.cluster.node(0).diag("net");
        let me = self.stranger.peer().to_string();
        let peers = net["peers"].as_array().unwrap().iter();
        let of_member = peers.filter(|it| it["peer"] == me.as_str()).collect::<Vec<_>>();
        assert_eq!(of_member.len(), 1, "{net}");
        let (faults, refused) = (&of_member[0]["faults"], &of_member[0]["refused"]);
        assert_eq!((faults, refused), (&json!([]), &json!(null)), "{net}");
        assert!(self.stranger.is_connected(self.cluster.node(0)));
    }

    /// Both nodes write, and become equal.
    fn assert_others_go_on(&self) {
        for (at, key) in [(0, "a"), (1, "b")] {
            let put = edits::put(&format!("{key}/after"), "all the same");
            let ops = [put, edits::increment("sum", 1)];
            self.cluster.rpc(at).apply(&self.cluster.context, &ops).unwrap();
        }
        let dump = self.cluster.converge();
        let shown = |kind, key: &str| dump.entries[&(kind, key.to_owned())].value.clone();
        assert_eq!(shown(Kind::Register, "a/after"), json!("all the same"));
        assert_eq!(shown(Kind::Register, "b/after"), json!("all the same"));
        assert_eq!(shown(Kind::Counter, "sum"), json!(2));
    }
}

/// Whether a node shows a register.
fn shows(node: &Node, cluster: &Cluster, key: &str) -> Result<(), String> {
    let got = node.rpc().get(&cluster.context, Kind::Register, key);
    let got = got.map_err(|why| why.to_string())?;
    got.entry.map(drop).ok_or_else(|| format!("{} does not show `{key}`", node.name()))
}

/// A payload that sets a register.
fn put(key: &str) -> Vec<u8> {
    let op = Op::Put { key: Key::new(key).unwrap(), value: Bytes::new(b"1").unwrap() };
    let transaction = Transaction { ops: vec![op], events: Vec::new() };
    Payload::new(vec![transaction]).unwrap().encode()
}

/// The same with one byte changed, of which a later program knows what it means.
fn unknown(at: usize, tag: u8) -> Vec<u8> {
    let mut payload = put("of a later program");
    payload[at] = tag;
    let read = Payload::decode(&payload);
    assert!(
        matches!(read, Err(Undecodable::Unknown { tag: found, .. }) if found == tag),
        "{read:?}"
    );
    payload
}

/// How many deltas wait in a context for this reason.
fn parked(context: &Value, reason: &str) -> u64 {
    let parked = context["parked"].as_array().unwrap().iter();
    let counts = parked.filter(|it| it["reason"] == reason).map(|it| it["count"].as_u64().unwrap());
    counts.sum()
}

#[test]
fn a_message_of_a_later_version_is_said_and_held_against_nobody() {
    let mut later = Later::start();
    assert_eq!(later.context(0)["why"], json!(null));
    for number in 0..200_u8 {
        let delta = later.member.write(put("unheard"));
        let mut bytes = later.member.message(&delta);
        bytes[0] = 2;
        bytes.push(number);
        later.say(bytes);
    }
    later.until_it_needs_an_upgrade();
    let ignored = || {
        let metrics = later.cluster.rpc(0).metrics().unwrap();
        let ignored = metrics.count_of("mangrove_delta_judged", "opinion", "ignore");
        if ignored >= 200 { Ok(()) } else { Err(format!("{ignored} are ignored")) }
    };
    eventually("all of them are ignored", LONG, ignored);
    later.assert_nobody_is_blamed();
    assert_eq!(later.context(1)["why"], json!(null), "nothing of it is handed on");
    later.assert_others_go_on();
}

#[test]
fn a_delta_of_a_later_header_is_ignored_on_the_mesh_and_the_rest_of_what_its_member_says_counts() {
    let mut later = Later::start();
    later.write_what_all_read("before");
    let delta = later.member.write(put("unheard"));
    let mut bytes = later.member.message(&delta);
    // Version, kind, length, and then the delta, whose first byte is its version.
    assert_eq!(bytes[6], mangrove_protocol::delta::VERSION);
    bytes[6] += 1;
    later.say(bytes);
    later.until_it_needs_an_upgrade();
    later.assert_nobody_is_blamed();
    later.assert_others_go_on();
}

/// Parks what a later program wrote, and what continues that.
fn check_parked(payload: &[u8]) {
    let mut later = Later::start();
    later.write_what_all_read("before");
    let strange = later.member.write(payload.to_vec());
    let dependant = later.member.write(put("dependant"));
    later.tell(&strange);
    later.tell(&dependant);
    for at in 0..2 {
        eventually("both wait", LONG, || {
            let context = later.context(at);
            let counts = (parked(&context, "version"), parked(&context, "parent"));
            if counts == (1, 1) { Ok(()) } else { Err(format!("node {at}: {counts:?}")) }
        });
    }
    let dump = later.cluster.converge();
    for key in ["dependant", "of a later program"] {
        assert_eq!(dump.entries.get(&(Kind::Register, key.to_owned())), None);
    }
    later.assert_others_go_on();
    later.assert_nobody_is_blamed();

    // It waits for another program, not for the same one to be started again.
    let (node, port) = (later.cluster.node_mut(0), mangrove_cluster::Port::Same);
    node.kill();
    node.restart(port);
    later.cluster.connect();
    later.cluster.converge();
    let context = later.context(0);
    assert_eq!((parked(&context, "version"), parked(&context, "parent")), (1, 1), "{context}");
}

#[test]
fn an_unknown_operation_waits_with_all_that_continues_it_and_everything_else_goes_on() {
    check_parked(&unknown(BEFORE_TAG, 200));
}

#[test]
fn a_payload_of_a_later_version_waits_with_all_that_continues_it_and_everything_else_goes_on() {
    check_parked(&unknown(0, 2));
}

#[test]
fn a_member_gives_what_is_compared_for() {
    let mut later = Later::start();
    let delta = later.member.write(put("given"));
    later.member.keep(vec![delta]);
    let ended = later.member.compare(&later.stranger, later.cluster.node(0), |it| it.encode());
    assert_eq!(ended.unwrap(), Some(Ending::Done));
    for node in &later.cluster.nodes {
        eventually("what was given is shown", LONG, || shows(node, &later.cluster, "given"));
    }
    later.assert_nobody_is_blamed();
}

#[test]
fn a_node_with_a_delta_that_it_cannot_read_says_that_it_needs_an_upgrade() {
    let mut later = Later::start();
    let strange = later.member.write(unknown(BEFORE_TAG, 200));
    later.tell(&strange);
    eventually("it waits", LONG, || {
        let count = parked(&later.context(0), "version");
        if count == 1 { Ok(()) } else { Err(format!("{count} wait")) }
    });
    later.until_it_needs_an_upgrade();
}

#[test]
fn a_delta_of_a_later_header_in_a_session_condemns_nobody_and_the_rest_is_taken() {
    let mut later = Later::start();
    let deltas = ["given", "of a later program"].map(|key| later.member.write(put(key)));
    later.member.keep(deltas.to_vec());
    let mut altered = 0;
    let word = |message: Message| match message {
        Message::Batch { mut deltas } => {
            let last = deltas.last_mut().unwrap();
            assert_eq!(last[0], mangrove_protocol::delta::VERSION);
            last[0] += 1;
            altered += 1;
            Message::Batch { deltas }.encode()
        }
        message => message.encode(),
    };
    let ended = later.member.compare(&later.stranger, later.cluster.node(0), word);
    println!("the session ended: {ended:?}");
    assert_eq!(altered, 1, "what was altered was given");
    later.assert_nobody_is_blamed();
    eventually("the rest is taken", LONG, || shows(later.cluster.node(0), &later.cluster, "given"));
    later.until_it_needs_an_upgrade();
    later.assert_others_go_on();
}

#[test]
fn a_session_in_which_a_later_version_is_spoken_condemns_nobody() {
    let mut later = Later::start();
    let delta = later.member.write(put("given"));
    later.member.keep(vec![delta]);
    let mut altered = 0;
    let word = |message: Message| {
        let mut bytes = message.encode();
        if !matches!(message, Message::Hello(_)) {
            bytes[0] += 1;
            altered += 1;
        }
        bytes
    };
    let ended = later.member.compare(&later.stranger, later.cluster.node(0), word);
    println!("the session ended: {ended:?}");
    assert!(altered > 0, "it was spoken");
    later.assert_nobody_is_blamed();
    later.assert_others_go_on();
}
