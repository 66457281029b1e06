//! What a node counts, as `/metrics` tells it.

use std::collections::BTreeMap;

/// What a node counts, at one moment.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// What is counted at all, by its name.
    families: Vec<String>,
    /// By name and labels, as they were written. What is no whole number is no count.
    values: BTreeMap<String, u64>,
}

impl Metrics {
    pub(crate) fn read(text: &str) -> Self {
        let mut metrics = Self::default();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                metrics.families.extend(rest.split(' ').next().map(str::to_owned));
            } else if let Some((name, value)) = line.rsplit_once(' ')
                && let Ok(value) = value.parse()
            {
                metrics.values.insert(name.to_owned(), value);
            }
        }
        metrics
    }

    /// How often something has happened, whatever its labels say.
    ///
    /// # Panics
    ///
    /// If nothing is counted by this name: what is never counted would never be found to have happened.
    #[track_caller]
    pub fn count(&self, name: &str) -> u64 {
        assert!(self.families.iter().any(|it| it == name), "{name}: {:?}", self.families);
        self.sum(name, "")
    }

    /// The same, of those alone that have this label. What has labels is not told before it has happened, so
    /// this is for what must have.
    pub fn count_of(&self, name: &str, label: &str, value: &str) -> u64 {
        self.sum(name, &format!("{label}=\"{value}\""))
    }

    fn sum(&self, name: &str, label: &str) -> u64 {
        let total = format!("{name}_total");
        let is_it = |found: &str| {
            let (found, labels) = found.split_once('{').unwrap_or((found, ""));
            (found == name || found == total) && labels.contains(label)
        };
        self.values.iter().filter(|(found, _)| is_it(found)).map(|(_, value)| value).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP shed What was shed.\n# TYPE shed counter\nshed_total{why=\"full\"} 3\n\
        shed_total{why=\"late\",to=\"a\"} 4\n# TYPE shed_bytes counter\nshed_bytes_total 70\n\
        # TYPE depth gauge\ndepth 9\n# EOF\n";

    #[test]
    fn what_is_counted_is_found_by_name_and_label_and_nothing_else_is() {
        let metrics = Metrics::read(TEXT);
        let counts = [metrics.count("shed"), metrics.count("shed_bytes"), metrics.count("depth")];
        assert_eq!(counts, [7, 70, 9]);
        assert_eq!(metrics.count_of("shed", "why", "late"), 4);
        assert_eq!(metrics.count_of("shed", "why", "none"), 0);
    }

    #[test]
    #[should_panic(expected = "lost")]
    fn what_nobody_counts_is_not_taken_for_nothing() {
        Metrics::read(TEXT).count("lost");
    }
}
