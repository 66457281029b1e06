//! What a campaign has lived through, counted: a campaign in which nothing happened proves nothing.

use std::collections::BTreeMap;
use std::fmt;

/// Counts by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    counts: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// One more.
    pub fn hit(&mut self, what: &'static str) {
        self.add(what, 1);
    }

    /// So many more.
    pub fn add(&mut self, what: &'static str, count: u64) {
        *self.counts.entry(what).or_default() += count;
    }

    /// The greatest seen.
    pub fn most(&mut self, what: &'static str, count: u64) {
        let most = self.counts.entry(what).or_default();
        *most = count.max(*most);
    }

    /// How many.
    pub fn count(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or_default()
    }

    /// Takes in what another has counted; names that begin with `most ` keep the greater one.
    pub fn merge(&mut self, other: &Self) {
        for (what, count) in &other.counts {
            match what.starts_with("most ") {
                true => self.most(what, *count),
                false => self.add(what, *count),
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.counts.iter().try_for_each(|(what, count)| writeln!(f, "  {count:>10}  {what}"))
    }
}
