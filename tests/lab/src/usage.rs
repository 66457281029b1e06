//! What a process uses, as `/proc` tells it.

use std::fs;
use std::io;
use std::time::Duration;

/// The memory that it holds now.
pub(crate) fn resident_bytes(pid: u32) -> io::Result<u64> {
    status_bytes(pid, "VmRSS:")
}

/// The part of that which is not files, its program among them.
pub(crate) fn own_bytes(pid: u32) -> io::Result<u64> {
    status_bytes(pid, "RssAnon:")
}

/// The most memory that it held at once.
pub(crate) fn peak_resident_bytes(pid: u32) -> io::Result<u64> {
    status_bytes(pid, "VmHWM:")
}

/// What all of its threads have computed, for itself and in the kernel.
pub(crate) fn cpu_time(pid: u32) -> io::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let ticks = ticks(&stat).ok_or_else(|| unreadable("times"))?;
    let nanos = ticks.saturating_mul(1_000_000_000);
    Ok(Duration::from_nanos(nanos / rustix::param::clock_ticks_per_second().max(1)))
}

fn status_bytes(pid: u32, field: &str) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    field_bytes(&status, field).ok_or_else(|| unreadable(field))
}

fn field_bytes(status: &str, field: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kib: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// User and system time, the 14th and the 15th field; the second is a name that may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut times = after_name.split_whitespace().skip(11).map(str::parse::<u64>);
    Some(times.next()?.ok()? + times.next()?.ok()?)
}

fn unreadable(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("no {what}: the process has ended"))
}

#[cfg(test)]
mod tests {
    use super::{field_bytes, ticks};

    #[test]
    fn the_times_are_found_behind_any_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 250 31 5 6 20 0 1 0 100";
        assert_eq!(ticks(stat), Some(281));
    }

    #[test]
    fn memory_is_told_in_bytes() {
        assert_eq!(field_bytes("VmPeak:\t 9 kB\nVmRSS:\t   12 kB\n", "VmRSS:"), Some(12_288));
        assert_eq!(field_bytes("State:\tZ (zombie)\n", "VmRSS:"), None);
    }
}
