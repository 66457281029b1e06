//! All that a context shows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use crate::rpc::{Entry, Rpc, RpcError, Scan};
use crate::wrong::Wrong;

/// Entities asked for at a time: few enough that every test of some size turns pages.
const PAGE: u64 = 100;
/// How often it is tried to dump a context that changes meanwhile.
const TRIES: usize = 10;
/// Differences that are told one by one.
const TOLD: usize = 10;

/// How writes to an entity merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The last writer wins.
    Register,
    /// Increments add up.
    Counter,
    /// An insert wins over a removal that had not seen it.
    Set,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Register, Self::Counter, Self::Set];

    /// Its name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Counter => "counter",
            Self::Set => "set",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// What is shown of an entity.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// What it holds.
    pub value: Value,
    /// Who wrote it last.
    pub author: String,
    /// In which delta.
    pub delta: String,
    /// Its version and clock, which are the API's to word: where they are unknown they are not compared.
    pub marks: Option<(String, Value)>,
}

/// All that a context shows, by kind and key.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Dump {
    /// The hash over all of it; where it is unknown it is not compared.
    pub root: Option<String>,
    /// What there is.
    pub entries: BTreeMap<(Kind, String), Shown>,
}

/// Reads all that a context shows, page by page, while nothing changes.
pub fn dump(rpc: &Rpc, context: &str) -> Result<Dump, RpcError> {
    let mut before = rpc.root(context)?;
    for _ in 0..TRIES {
        let mut entries = BTreeMap::new();
        for kind in Kind::ALL {
            read(rpc, context, kind, &mut entries)?;
        }
        let after = rpc.root(context)?;
        if before == after {
            return Ok(Dump { root: Some(after.root), entries });
        }
        before = after;
    }
    Err(RpcError::misshapen("state.scan", "it changes all the time", &before.root))
}

fn read(
    rpc: &Rpc,
    context: &str,
    kind: Kind,
    into: &mut BTreeMap<(Kind, String), Shown>,
) -> Result<(), RpcError> {
    let mut after: Option<String> = None;
    loop {
        let scan =
            Scan { kind: Some(kind), after: after.as_deref(), limit: Some(PAGE), prefix: None };
        let page = rpc.scan(context, &scan)?;
        let mut last = after.take();
        for entry in page.entries {
            if entry.kind != kind || last.as_ref().is_some_and(|last| *last >= entry.key) {
                let why = format!("{} `{}` does not belong there", entry.kind.name(), entry.key);
                return Err(RpcError::misshapen("state.scan", why, last.as_deref().unwrap_or("")));
            }
            last = Some(entry.key.clone());
            into.insert((kind, entry.key.clone()), shown(entry)?);
        }
        match page.next {
            // A page without an end would be asked for again and again.
            Some(next) if last.as_ref() != Some(&next) => {
                let why = "`next` is not the last key of the page";
                return Err(RpcError::misshapen("state.scan", why, &next));
            }
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

fn shown(entry: Entry) -> Result<Shown, RpcError> {
    let Entry { value, author, delta, version, hlc, .. } = entry;
    let value = value.ok_or_else(|| RpcError::misshapen("an entry", "no value", &entry.key))?;
    Ok(Shown { value, author, delta, marks: Some((version, hlc)) })
}

impl Dump {
    /// Whether another one shows the same; if not, how they differ, each called by its name.
    pub fn same(&self, name: &str, (other, theirs): (&str, &Self)) -> Result<(), Wrong> {
        let keys = self.entries.keys().chain(theirs.entries.keys());
        let keys = keys.collect::<BTreeSet<_>>();
        let differing = keys.iter().filter_map(|key| {
            let (left, right) = (self.entries.get(*key), theirs.entries.get(*key));
            (!alike(left, right)).then_some((*key, left, right))
        });
        let differing = differing.collect::<Vec<_>>();
        if differing.is_empty() {
            return self.same_root(name, (other, theirs));
        }
        let mut told = format!("{} of {} entities differ", differing.len(), keys.len());
        for ((kind, key), left, right) in differing.into_iter().take(TOLD) {
            told.push_str(&format!("\n  {} `{key}`", kind.name()));
            for (name, shown) in [(name, left), (other, right)] {
                let shown = shown.map_or_else(|| "absent".to_owned(), Shown::to_string);
                told.push_str(&format!("\n    {name}: {shown}"));
            }
        }
        Err(told.into())
    }

    fn same_root(&self, name: &str, (other, theirs): (&str, &Self)) -> Result<(), Wrong> {
        let roots = self.root.as_ref().zip(theirs.root.as_ref());
        let differing = roots.filter(|(left, right)| left != right);
        differing.map_or(Ok(()), |(left, right)| {
            let told = "the entities are equal, the roots are not";
            Err(format!("{told}\n    {name}: {left}\n    {other}: {right}").into())
        })
    }
}

fn alike(left: Option<&Shown>, right: Option<&Shown>) -> bool {
    let (Some(left), Some(right)) = (left, right) else { return left.is_none() && right.is_none() };
    let marks = match (&left.marks, &right.marks) {
        (Some(left), Some(right)) => left == right,
        _ => true,
    };
    let same = |one: &Shown| (one.value.clone(), one.author.clone(), one.delta.clone());
    marks && same(left) == same(right)
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const WIDTH: usize = 200;
        let value = self.value.to_string();
        let rest = if value.chars().nth(WIDTH).is_some() { "…" } else { "" };
        let value = value.chars().take(WIDTH).collect::<String>();
        write!(f, "{value}{rest} by {} in {}", self.author, self.delta)?;
        let marks = self.marks.as_ref();
        marks.map_or(Ok(()), |(version, hlc)| write!(f, ", version {version} at {hlc}"))
    }
}

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((kind, key), shown) in &self.entries {
            writeln!(f, "{} `{key}` = {shown}", kind.name())?;
        }
        write!(f, "root {}", self.root.as_deref().unwrap_or("unknown"))
    }
}
