//! What this process takes of the machine, asked when somebody wants to know.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;

use crate::warden::Standing;

/// What this process takes of the machine.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) standing: Standing,
    pub(crate) most_files: Option<u64>,
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let uptime = Some(self.standing.uptime().as_secs());
        let numbers = [
            ("resident_bytes", "Memory in use", kib(&status, "VmRSS:")),
            ("resident_peak_bytes", "The most memory that was in use", kib(&status, "VmHWM:")),
            ("threads", "Threads", number(&status, "Threads:")),
            ("open_files", "Files that are open", open_files()),
            ("open_files_most", "Files that may be open", self.most_files),
            ("uptime_seconds", "For how long there has been a node", uptime),
        ];
        // What the system does not tell is left out.
        let known =
            numbers.into_iter().filter_map(|(name, help, value)| Some((name, help, value?)));
        for (name, help, value) in known {
            let gauge = ConstGauge::new(value);
            let name = format!("process_{name}");
            gauge.encode(encoder.encode_descriptor(&name, help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}

fn number(status: &str, key: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

fn kib(status: &str, key: &str) -> Option<u64> {
    number(status, key).map(|kib| kib * 1_024)
}

fn open_files() -> Option<u64> {
    // The folder that is being read is one of them.
    let open = fs::read_dir("/proc/self/fd").ok()?.count() as u64;
    Some(open.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_tells_is_read() {
        let status = "Name:\tmangrove\nVmHWM:\t   20 kB\nVmRSS:\t   12 kB\nThreads:\t7\n";
        assert_eq!(kib(status, "VmRSS:"), Some(12 * 1_024));
        assert_eq!(number(status, "Threads:"), Some(7));
        assert_eq!(number("", "Threads:"), None);
        assert!(open_files().is_some_and(|open| open >= 3));
    }
}
