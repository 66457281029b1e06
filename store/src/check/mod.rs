//! Looking through a store that nobody has open: whether everything in it is what was written, and agrees.
//!
//! Every row is read, whose blocks bear checksums, opened where it is sealed, and decoded. Then the tables of
//! each context are held against each other, and the root against the state. Deep, the state is made anew
//! from the log as well and compared row by row. Nothing is changed, not even by opening.
//!
//! Table files also hold filters and notes about themselves, which save time and are not looked at: damage
//! there makes reading slower and never wrong.

mod agree;
mod state;

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8Path;
use mangrove_config::store::Store as Settings;
use mangrove_protocol::id::ContextId;
use mangrove_protocol::view::{ForTable, Table, for_every_table};
use rocksdb::IteratorMode;

use crate::contexts::Contexts;
use crate::db::Db;
use crate::error::{OpenError, ReadError};
use crate::health::Pulse;
use crate::open::Opening;
use crate::schema::{Family, Meta, after};
use crate::seal::DataKey;
use crate::snapshot::{Direction, Snapshot};

/// Findings that are told one by one.
const MOST_FINDINGS: usize = 100;
/// Rows after which progress is told.
const STEP_ROWS: u64 = 4_096;

/// How closely a store is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Every row is read, and the tables agree.
    Structure,
    /// State is made anew from the log as well.
    Deep,
}

/// How far the check has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Rows that were looked at.
    pub done: u64,
    /// Of about so many.
    pub of: u64,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// In which context; none if it concerns the whole home.
    pub context: Option<ContextId>,
    /// In which table.
    pub table: &'static str,
    /// What, and how far it goes.
    pub what: String,
}

/// What a check has found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Contexts that were looked at.
    pub contexts: usize,
    /// Rows that were read.
    pub rows: u64,
    /// What is damaged, the first hundred of it.
    pub findings: Vec<Finding>,
    /// What is damaged beyond those.
    pub more: u64,
}

impl Report {
    /// Whether all is well.
    pub const fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Looks through the store in a folder. What can be told apart from damage (another process has it open, the
/// key is wrong, a later version wrote it) is an error; damage is a finding.
pub fn check(
    folder: &Utf8Path,
    (settings, key): (&Settings, Option<&DataKey>),
    depth: Depth,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, OpenError> {
    let mut report = Report::default();
    let opening = Opening { folder, settings };
    match opening.is_new() {
        Ok(true) => return Ok(report),
        Ok(false) => {}
        Err(OpenError::Damaged { why, .. }) => {
            report.find(None, "database", why);
            return Ok(report);
        }
        Err(why) => return Err(why),
    }
    let opened = opening.read_only(key);
    let (db, _lock) = match opened {
        Ok(opened) => opened,
        Err(OpenError::Damaged { why, .. }) => {
            report.find(None, "database", format!("it does not open: {why}"));
            return Ok(report);
        }
        Err(why) => return Err(why),
    };
    let contexts = match Contexts::load(&db) {
        Ok(contexts) => contexts,
        Err(why) => {
            report.find(None, "contexts", why.to_string());
            return Ok(report);
        }
    };
    let pulse = Pulse::new();
    let of = about_rows(&db);
    owners(&db, &contexts, &mut report);
    let mut looking = Looking { report, progress, of };
    for id in contexts.ids() {
        let Some(row) = contexts.get(&id) else { continue };
        let snapshot = Snapshot::new(&db, &pulse, id, row);
        looking.look(&snapshot, depth);
    }
    Ok(looking.report)
}

/// Every row belongs to a context that the home knows, and to a table that this program knows.
fn owners(db: &Db, contexts: &Contexts, report: &mut Report) {
    let numbers = contexts.ids().into_iter().filter_map(|id| Some(contexts.get(&id)?.number));
    let numbers: BTreeSet<u64> = numbers.collect();
    let next = db.meta::<u64>(Meta::NextContext).ok().flatten().unwrap_or_default();
    if numbers.last().is_some_and(|last| *last >= next) || numbers.len() < contexts.ids().len() {
        report.find(None, "contexts", "a number is given twice, or would be".to_owned());
    }
    let mut tags = Tags::default();
    for_every_table(&mut tags);
    for family in Family::ALL.into_iter().filter(|family| *family != Family::Meta) {
        let mut from = Vec::new();
        loop {
            let prefix = match next_table(db, family, &from) {
                Ok(Some(prefix)) => prefix,
                Ok(None) => break,
                Err(why) => {
                    report.find(None, family.name(), why.to_string());
                    break;
                }
            };
            let (number, tag) = prefix.split_at_checked(8).unwrap_or_default();
            let number = <[u8; 8]>::try_from(number).map(u64::from_be_bytes);
            if !number.is_ok_and(|number| numbers.contains(&number)) {
                let what = "rows of a context that the home does not know".to_owned();
                report.find(None, family.name(), what);
            } else if tag.first().is_none_or(|tag| tags.0.get(tag) != Some(&family.name())) {
                report.find(None, family.name(), "rows of no known table".to_owned());
            }
            // A key that is too short is passed by itself.
            let is_short = prefix.len() < 9;
            let past = if is_short { Some([&prefix[..], &[0]].concat()) } else { after(&prefix) };
            let Some(past) = past else { break };
            from = past;
        }
    }
}

/// What the first key from here on begins with: its context and table.
fn next_table(db: &Db, family: Family, from: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
    let mode = IteratorMode::From(from, rocksdb::Direction::Forward);
    let first = db.rocks.iterator_cf(db.family(family)?, mode).next().transpose();
    let first = first.map_err(|why| ReadError::of(family.name(), &why))?;
    Ok(first.map(|(key, _)| key.get(..9).unwrap_or(&key).to_vec()))
}

/// The families in which tables lie, by tag.
#[derive(Default)]
struct Tags(BTreeMap<u8, &'static str>);

impl ForTable for Tags {
    fn table<T: Table>(&mut self) {
        self.0.insert(T::TAG, Family::of::<T>().name());
    }
}

fn about_rows(db: &Db) -> u64 {
    let of_family = |family: &Family| {
        let handle = db.family(*family).ok()?;
        db.rocks.property_int_value_cf(handle, "rocksdb.estimate-num-keys").ok()?
    };
    Family::ALL.iter().filter_map(of_family).sum()
}

impl Report {
    fn find(&mut self, context: Option<ContextId>, table: &'static str, what: String) {
        match self.findings.len() < MOST_FINDINGS {
            true => self.findings.push(Finding { context, table, what }),
            false => self.more += 1,
        }
    }
}

/// A check under way.
struct Looking<'p> {
    report: Report,
    progress: &'p mut dyn FnMut(Progress),
    of: u64,
}

impl Looking<'_> {
    fn look(&mut self, snapshot: &Snapshot<'_>, depth: Depth) {
        self.report.contexts += 1;
        let before = self.report.findings.len();
        let mut reading = Reading { looking: self, snapshot };
        for_every_table(&mut reading);
        if self.report.findings.len() > before {
            // What rests on rows that cannot be read would only repeat that.
            return;
        }
        let id = Some(snapshot.id());
        let mut find = |table: &'static str, what: String| self.report.find(id, table, what);
        agree::agree(snapshot, &mut find);
        state::compare(snapshot, depth, &mut find);
    }

    fn count(&mut self) {
        self.report.rows += 1;
        if self.report.rows.is_multiple_of(STEP_ROWS) {
            let done = self.report.rows;
            (self.progress)(Progress { done, of: self.of.max(done) });
        }
    }
}

/// Reads every row of a context.
struct Reading<'a, 'p> {
    looking: &'a mut Looking<'p>,
    snapshot: &'a Snapshot<'a>,
}

impl ForTable for Reading<'_, '_> {
    fn table<T: Table>(&mut self) {
        let all = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
        let mut last: Option<T::Key> = None;
        for row in self.snapshot.rows::<T>(all, Direction::Forward) {
            match row {
                Ok((key, _)) => {
                    self.looking.count();
                    last = Some(key);
                }
                Err(why) => {
                    let after = last.as_ref();
                    let place = after.map_or_else(
                        || "at its beginning".to_owned(),
                        |key| format!("after {}", shortened(&format!("{key:?}"))),
                    );
                    let what = format!("it cannot be read {place}: {why}");
                    self.looking.report.find(Some(self.snapshot.id()), T::NAME, what);
                }
            }
        }
        // What is found by its key is looked for another way than what is read in a row.
        if let Some(key) = last
            && !matches!(self.snapshot.get::<T>(&key), Ok(Some(_)))
        {
            let what = format!("{} is not found by its key", shortened(&format!("{key:?}")));
            self.looking.report.find(Some(self.snapshot.id()), T::NAME, what);
        }
    }
}

fn shortened(text: &str) -> String {
    const MOST: usize = 120;
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}
