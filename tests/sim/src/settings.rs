//! What a seed decides before anything happens: who takes part, under which settings, and which
//! faults will be seen. A random subset of everything finds what everything at once hides.

use mangrove_protocol::governance::Role;
use mangrove_protocol::replica::{Bounds, Durability};

use crate::attrition::Attrition;
use crate::dice::Dice;
use crate::hostile::Trick;
use crate::politics::Matter;

/// The settings of one run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The seed they were drawn from.
    pub seed: u64,
    /// Nodes.
    pub nodes: usize,
    /// Contexts, all of which every node takes part in.
    pub contexts: usize,
    /// When a commit counts as durable, by node.
    pub durability: Vec<Durability>,
    /// How much may gather.
    pub bounds: Bounds,
    /// How long things go wrong.
    pub chaos_ms: u64,
    /// What links do meanwhile.
    pub links: Links,
    /// How stores behave.
    pub disk: Disk,
    /// How nodes come and go.
    pub attrition: Attrition,
    /// How far apart reboots are; none if 0.
    pub reboot_every_ms: u64,
    /// How far apart failures of links are; none if 0.
    pub cut_every_ms: u64,
    /// How far a wall clock may be off.
    pub skew_ms: u64,
    /// Whether clocks jump while nodes run.
    pub clock_steps: Occurrence,
    /// Who may do what at the beginning.
    pub politics: Politics,
    /// Whether some nodes are given boxes at the beginning that do not open.
    pub late_keys: Occurrence,
    /// What applications do.
    pub work: Work,
    /// What a hostile member does.
    pub malice: Malice,
    /// The node that is not honest in its sessions while things go wrong.
    pub crooked: Option<usize>,
    /// Whether only a core recovers, and the rest never does.
    pub core_only: Occurrence,
    /// How far apart the rounds are in which a node asks a random peer what it lacks.
    pub round_ms: (u64, u64),
}

/// Whether something is part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occurrence {
    /// It is not.
    Never,
    /// It is.
    Sometimes,
}

impl Occurrence {
    fn draw(dice: &mut Dice, per_mille: u64) -> Self {
        if dice.chance(per_mille) { Self::Sometimes } else { Self::Never }
    }

    /// Whether it is.
    pub fn happens(self) -> bool {
        self == Self::Sometimes
    }
}

/// What links do, in thousandths where it is a matter of chance.
#[derive(Debug, Clone, Copy, Default)]
pub struct Links {
    /// Every frame takes so long.
    pub latency_ms: u64,
    /// And up to so much longer, which also lets frames overtake each other.
    pub jitter_ms: u64,
    /// Frames that vanish.
    pub loss: u64,
    /// Frames that come twice.
    pub duplicate: u64,
    /// Frames with wrong bytes in them.
    pub corrupt: u64,
    /// Frames that come to the wrong context.
    pub misdeliver: u64,
    /// Answers that end early.
    pub cut_answers: u64,
    /// Bytes that pass in a millisecond; any number if 0.
    pub bytes_per_ms: u64,
}

/// How stores behave.
#[derive(Debug, Clone, Copy)]
pub struct Disk {
    /// A write takes so long at most.
    pub write_ms: u64,
    /// A sync takes so long at most.
    pub sync_ms: u64,
    /// Syncs that fail, in a thousand.
    pub sync_failures: u64,
    /// How far apart syncs are that nobody waits for.
    pub flush_ms: u64,
}

/// What applications do, as weights.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    /// How far apart the calls to one context of one node are, on average.
    pub every_ms: u64,
    /// Calls at once, at most.
    pub burst: u64,
    /// Keys of each kind that are written.
    pub keys: u64,
    /// Kinds of edits.
    pub edits: [u64; 8],
    /// Calls with conditions, in a thousand.
    pub conditions: u64,
    /// Calls with an id, in a thousand.
    pub ids: u64,
    /// Values that are long, in a thousand.
    pub long_values: u64,
}

/// What a hostile member does.
#[derive(Debug, Clone)]
pub struct Malice {
    /// How far apart its acts are; none if 0.
    pub every_ms: u64,
    /// What it may do.
    pub tricks: Vec<Trick>,
    /// The node whose keys it has too.
    pub twin: Option<usize>,
    /// Whether it begins more logs and branches than anybody must take.
    pub flood: Occurrence,
}

/// Who may do what at the beginning.
#[derive(Debug, Clone)]
pub struct Politics {
    /// The node that founds the contexts.
    pub founder: usize,
    /// What each of the other nodes is; none for one who is no member yet.
    pub roles: Vec<Option<Role>>,
    /// What the hostile member is.
    pub mallory: Role,
    /// The node that keeps everything and can read nothing, once it is enlisted.
    pub replica: Option<usize>,
    /// How far apart decisions are; none if 0.
    pub every_ms: u64,
    /// What is decided, each as often as it is to be drawn.
    pub matters: Vec<Matter>,
}

/// About how many calls are made in a run at most.
const MOST_CALLS: u64 = 600;

impl Settings {
    /// The settings of a seed.
    pub fn draw(seed: u64) -> Self {
        let mut dice = Dice::new(seed, &[1]);
        let dice = &mut dice;
        let nodes = dice.index(4) + 2;
        let contexts = if dice.chance(300) { 2 } else { 1 };
        let politics = Politics::draw(seed, nodes);
        let malice = Malice::draw(dice, nodes).plotting(seed, &politics);
        let bounds = bounds(dice, &malice);
        let chaos_ms = dice.between(20_000, 60_000);
        let mut work = Work::draw(dice, &bounds);
        let calls = (nodes * contexts) as u64 * work.burst.div_ceil(2) * chaos_ms;
        work.every_ms = work.every_ms.max(calls / MOST_CALLS);
        let rate = [0, 4_000, 8_000, 20_000];
        let buffered = *dice.pick(&[0, 0, 500, 1000]).unwrap_or(&0);
        let durability = (0..nodes)
            .map(|_| if dice.chance(buffered) { Durability::Buffered } else { Durability::Fsync });
        let settings = Self {
            seed,
            nodes,
            contexts,
            durability: durability.collect(),
            bounds,
            chaos_ms,
            links: Links::draw(dice),
            disk: Disk::draw(dice),
            attrition: Attrition::draw(dice, nodes),
            reboot_every_ms: dice.pick(&rate).copied().unwrap_or_default(),
            cut_every_ms: dice.pick(&rate).copied().unwrap_or_default(),
            skew_ms: dice.pick(&[0, 50, 5_000, 150_000]).copied().unwrap_or_default(),
            clock_steps: Occurrence::draw(dice, 200),
            politics,
            late_keys: Occurrence::draw(dice, 250),
            work,
            malice,
            crooked: crooked(seed, nodes),
            core_only: if nodes > 2 { Occurrence::draw(dice, 250) } else { Occurrence::Never },
            round_ms: *dice.pick(&[(5_000, 20_000), (2_000, 4_000)]).unwrap_or(&(5_000, 9_000)),
        };
        if Dice::new(seed, &[2]).chance(80) { settings.with_brief_lives() } else { settings }
    }

    /// Nodes end well and lose power in turn, soon after one another, and little of what they write
    /// is synced: what a clean end leaves behind shows when the next end is none.
    fn with_brief_lives(mut self) -> Self {
        self.durability.fill(Durability::Buffered);
        self.attrition = Attrition {
            prob_graceful: 1,
            prob_crash: 0,
            prob_power: 1,
            prob_wipe: 0,
            ..self.attrition
        };
        self.reboot_every_ms = 4_000;
        self.disk.flush_ms = 20_000;
        self
    }

    /// Whether nodes may end up with different deltas stored: what nobody cites may be refused by
    /// some and taken by others.
    pub fn is_uneven(&self) -> bool {
        self.malice.every_ms > 0
            && (self.malice.flood.happens() || self.bounds.parked_bytes < 1024 * 1024)
    }
}

fn crooked(seed: u64, nodes: usize) -> Option<usize> {
    let mut dice = Dice::new(seed, &[13]);
    (nodes > 2 && dice.chance(300)).then(|| dice.index(nodes))
}

fn bounds(dice: &mut Dice, malice: &Malice) -> Bounds {
    let usual = Bounds::default();
    let parked = dice.pick(&[8 * 1024, 64 * 1024, 0, 0]).copied().unwrap_or_default();
    Bounds {
        writes: *dice.pick(&[1, 4, usual.writes]).unwrap_or(&1),
        write_bytes: *dice.pick(&[1_024, usual.write_bytes]).unwrap_or(&1_024),
        arrived_bytes: *dice.pick(&[8 * 1024, 64 * 1024, usual.arrived_bytes]).unwrap_or(&8_192),
        deltas_per_step: *dice.pick(&[1, 3, usual.deltas_per_step]).unwrap_or(&1),
        loose_bytes: *dice.pick(&[0, 4 * 1024, usual.loose_bytes]).unwrap_or(&0),
        parked_bytes_per_member: if parked > 0 { parked } else { usual.parked_bytes_per_member },
        parked_bytes: if parked > 0 { parked * 2 } else { usual.parked_bytes },
        logs_per_authority: if malice.flood.happens() { 24 } else { usual.logs_per_authority },
        governance_per_member: usual.governance_per_member,
        decisions: *dice.pick(&[1, usual.decisions]).unwrap_or(&1),
        writes_ahead: *dice.pick(&[1, 2, usual.writes_ahead]).unwrap_or(&1),
    }
}

impl Links {
    fn draw(dice: &mut Dice) -> Self {
        let mut some = |of: &[u64]| dice.pick(of).copied().unwrap_or_default();
        Self {
            latency_ms: some(&[1, 20, 150]),
            jitter_ms: some(&[0, 5, 200, 2_000]),
            loss: some(&[0, 0, 20, 200, 500]),
            duplicate: some(&[0, 50, 300]),
            corrupt: some(&[0, 0, 30]),
            misdeliver: some(&[0, 0, 50]),
            cut_answers: some(&[0, 300]),
            bytes_per_ms: some(&[0, 0, 10, 200]),
        }
    }

    /// Links that do no harm.
    pub fn healthy() -> Self {
        Self { latency_ms: 5, jitter_ms: 5, ..Self::default() }
    }
}

impl Disk {
    fn draw(dice: &mut Dice) -> Self {
        Self {
            write_ms: *dice.pick(&[0, 2, 20]).unwrap_or(&0),
            sync_ms: *dice.pick(&[1, 10, 300, 1_500]).unwrap_or(&1),
            sync_failures: *dice.pick(&[0, 0, 0, 10]).unwrap_or(&0),
            flush_ms: *dice.pick(&[200, 3_000, 20_000]).unwrap_or(&200),
        }
    }
}

impl Work {
    fn draw(dice: &mut Dice, bounds: &Bounds) -> Self {
        // A delta that does not fit an empty queue would never be taken.
        let room = bounds.arrived_bytes >= mangrove_protocol::limits::DELTA_BYTES;
        let mut edits = [0; 8];
        for weight in &mut edits {
            *weight = *dice.pick(&[0, 1, 1, 4]).unwrap_or(&1);
        }
        if edits.iter().all(|weight| *weight == 0) {
            edits = [1; 8];
        }
        Self {
            every_ms: *dice.pick(&[300, 1_000, 3_000]).unwrap_or(&1_000),
            burst: *dice.pick(&[1, 3, 12]).unwrap_or(&1),
            keys: *dice.pick(&[1, 4, 16]).unwrap_or(&4),
            edits,
            conditions: *dice.pick(&[0, 300]).unwrap_or(&0),
            ids: *dice.pick(&[0, 300, 900]).unwrap_or(&300),
            long_values: if room { *dice.pick(&[0, 0, 30]).unwrap_or(&0) } else { 0 },
        }
    }
}

impl Politics {
    fn draw(seed: u64, nodes: usize) -> Self {
        let mut dice = Dice::new(seed, &[8]);
        let dice = &mut dice;
        let every_ms = *dice.pick(&[0, 1_500, 4_000, 10_000]).unwrap_or(&0);
        let founder = dice.index(nodes);
        let seniors = *dice.pick(&[0, 200, 600]).unwrap_or(&0);
        let late = if every_ms > 0 { *dice.pick(&[0, 250]).unwrap_or(&0) } else { 0 };
        let roles = (0..nodes).map(|_| (!dice.chance(late)).then(|| draw_role(dice, seniors)));
        let roles = roles.collect();
        let mallory = if every_ms > 0 { draw_role(dice, seniors) } else { Role::Writer };
        let replica = (every_ms > 0 && nodes > 2 && dice.chance(500)).then(|| dice.index(nodes));
        let replica = replica.filter(|replica| *replica != founder);
        let share = dice.between(300, 1_000);
        let drawn = Matter::ALL.into_iter().filter(|_| dice.chance(share));
        let matters = drawn.flat_map(|(matter, weight)| (0..weight).map(move |_| matter));
        let matters = matters.collect();
        Self { founder, roles, mallory, replica, every_ms, matters }
    }

    /// Whether a node takes part from the beginning.
    pub fn is_member(&self, node: usize) -> bool {
        let invited = self.roles.get(node).is_some_and(Option::is_some);
        node == self.founder || (invited && self.replica != Some(node))
    }
}

fn draw_role(dice: &mut Dice, seniors: u64) -> Role {
    match dice.chance(seniors) {
        true => *dice.pick(&[Role::Owner, Role::Admin, Role::Admin]).unwrap_or(&Role::Admin),
        false => Role::Writer,
    }
}

impl Malice {
    /// The same, also out to meddle with who may do what where others decide about that.
    fn plotting(mut self, seed: u64, politics: &Politics) -> Self {
        let mut dice = Dice::new(seed, &[11]);
        if politics.every_ms > 0 {
            let share = dice.between(0, 700);
            let drawn = Trick::INTRIGUES.into_iter().filter(|_| dice.chance(share));
            self.tricks.extend(drawn);
        }
        self
    }

    fn draw(dice: &mut Dice, nodes: usize) -> Self {
        let every_ms = *dice.pick(&[0, 0, 700, 3_000]).unwrap_or(&0);
        let share = dice.between(200, 900);
        let tricks = Trick::ALL.into_iter().filter(|_| dice.chance(share)).collect();
        let twin = dice.chance(250).then(|| dice.index(nodes));
        if every_ms > 0 && dice.chance(200) {
            let tricks = vec![Trick::Behave, Trick::Fork, Trick::Fork, Trick::NewLog];
            return Self { every_ms: 150, tricks, twin: None, flood: Occurrence::Sometimes };
        }
        Self { every_ms, tricks, twin, flood: Occurrence::Never }
    }
}
