//! What can be seen of a home without its node.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::{Duration, UNIX_EPOCH};

use mangrove_config::{Home, Settings};
use rustix::fs::statvfs;

use super::Finding;
use crate::home::format;
use crate::human::{bytes, now_ms, span};
use crate::running::process;
use crate::session::Session;

/// Before this the clock of no machine was right on which this program ran: the first day of 2025, in Unix ms.
const EPOCH_MS: u64 = 1_735_689_600_000;
/// By so much a file may seem to come from the future.
const SLACK_MS: u64 = 60_000;
/// What the store holds while it is in use.
const LOCK: &str = "in-use";
const MIB: u64 = 1 << 20;

pub(super) fn look(session: &Session) -> Vec<Finding> {
    let home = &session.home;
    if let Err(failure) = format::require(home) {
        return vec![Finding::failed("home", &failure), clock(home)];
    }
    let mut findings = vec![of_home(home)];
    findings.extend(secrets(home));
    let settings = match session.resolve() {
        Ok(resolved) => {
            findings.push(Finding::ok("settings", "the configuration is in order"));
            resolved.settings
        }
        Err(failure) => {
            findings.push(Finding::failed("settings", &failure));
            Settings::default()
        }
    };
    findings.push(disk(home, settings.store.min_free_mib));
    findings.push(clock(home));
    if process(home).is_none() {
        findings.extend(store(home));
        findings.push(port(&settings));
    }
    findings
}

fn of_home(home: &Home) -> Finding {
    let root = home.root();
    let failed = |why: std::io::Error| {
        Finding::bad("home", format!("{root} cannot be read: {why}"))
            .hint("whose is it? ls -ld tells")
    };
    let mode = match fs::metadata(root).and_then(|found| fs::read_dir(root).map(|_| found)) {
        Ok(found) => found.permissions().mode() & 0o777,
        Err(why) => return failed(why),
    };
    match mode & 0o077 {
        0 => Finding::ok("home", format!("{root} is a home, and nobody else can look into it")),
        _ => {
            Finding::bad("home", format!("others on this machine can look into {root} ({mode:o})"))
                .hint(format!("chmod 700 {root}"))
        }
    }
}

/// Files that nobody else may read.
fn secrets(home: &Home) -> Vec<Finding> {
    let mut findings = Vec::new();
    for path in [home.key_file(), home.data_key_file(), home.token_file()] {
        let mode = fs::metadata(&path).map(|found| found.permissions().mode() & 0o777);
        match mode {
            Ok(mode) if mode & 0o077 != 0 => {
                let what = format!("others on this machine can read {path} ({mode:o})");
                findings.push(Finding::bad("secrets", what).hint(format!("chmod 600 {path}")));
            }
            Ok(_) => {}
            // Only an encrypted home has one.
            Err(_) if path == home.data_key_file() => {}
            Err(why) => {
                let what = format!("{path} cannot be read: {why}");
                let hint = "put back the copy that you keep, or restore a backup";
                findings.push(Finding::bad("secrets", what).hint(hint));
            }
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok("secrets", "the keys and the token are for their owner alone"));
    }
    findings
}

fn disk(home: &Home, min_free_mib: u64) -> Finding {
    let found = match statvfs(home.root().as_str()) {
        Ok(found) => found,
        Err(why) => return Finding::warn("disk", format!("how full it is cannot be told: {why}")),
    };
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let least = min_free_mib.saturating_mul(MIB);
    let what = format!("{} are free", bytes(free));
    let hint = "make room on the disk: writes are then taken again by themselves";
    let refused = format!("{what}, and with less than {} writes are refused", bytes(least));
    if free < least {
        Finding::bad("disk", refused).hint(hint)
    } else if free < least.saturating_mul(4) {
        Finding::warn("disk", refused).hint("make room on the disk soon")
    } else {
        Finding::ok("disk", what)
    }
}

/// The clock of this machine, against the times that it must be after.
fn clock(home: &Home) -> Finding {
    let made = fs::metadata(home.format_file()).and_then(|found| found.modified()).ok();
    let made = made.and_then(|made| made.duration_since(UNIX_EPOCH).ok());
    clock_at(now_ms(), made)
}

fn clock_at(now_ms: u64, made: Option<Duration>) -> Finding {
    let hint = "set the clock of this machine, and keep it right: NTP does";
    let made_ms = made.map(|made| u64::try_from(made.as_millis()).unwrap_or(u64::MAX));
    let early = made_ms.and_then(|made_ms| made_ms.checked_sub(now_ms));
    match early {
        _ if now_ms < EPOCH_MS => {
            Finding::bad("clock", "the clock of this machine is years behind").hint(hint)
        }
        Some(early) if early > SLACK_MS => {
            let what = format!("the home was made {} after what the clock shows", span(early));
            Finding::bad("clock", what).hint(hint)
        }
        _ => Finding::ok("clock", "the clock of this machine can be right"),
    }
}

/// Who uses the store, although no node runs in the home.
fn store(home: &Home) -> Option<Finding> {
    let inode = fs::metadata(home.store_folder().join(LOCK)).ok()?.ino();
    let holder = holder(&fs::read_to_string("/proc/locks").ok()?, inode)?;
    let what = format!("no node runs here, but process {holder} has the store open");
    let hint = "is a node starting or stopping, or a backup made? It ends by itself";
    Some(Finding::warn("lock", what).hint(hint))
}

/// Who holds the lock of a file, in what the kernel lists: `1: FLOCK ADVISORY WRITE 77 08:02:131074 0 EOF`.
fn holder(locks: &str, inode: u64) -> Option<u32> {
    let inode = inode.to_string();
    locks.lines().find_map(|line| {
        let words = line.split_whitespace().collect::<Vec<_>>();
        match words.as_slice() {
            [_, "FLOCK", _, _, pid, file, ..] => {
                let is_it = file.rsplit(':').next() == Some(inode.as_str());
                pid.parse().ok().filter(|_| is_it)
            }
            _ => None,
        }
    })
}

/// Whether the API could be served.
fn port(settings: &Settings) -> Finding {
    let address = settings.server.listen.socket();
    match TcpListener::bind(address) {
        Ok(_) => Finding::ok("port", format!("the API can be served at {address}")),
        Err(why) => {
            let what = format!("the API cannot be served at {address}: {why}");
            let hint = "another node may run there; choose another port: mangrove config set server.listen ADDR:PORT";
            Finding::bad("port", what).hint(hint)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn a_clock_that_is_behind_what_has_happened_is_wrong() {
        let level = |now_ms, made_ms| clock_at(now_ms, Some(Duration::from_millis(made_ms))).level;
        assert_eq!(level(EPOCH_MS + 1, EPOCH_MS), Level::Ok);
        assert_eq!(level(EPOCH_MS + 1, EPOCH_MS + SLACK_MS), Level::Ok);
        assert_eq!(level(EPOCH_MS, EPOCH_MS + SLACK_MS + 1), Level::Bad);
        assert_eq!(level(5_000, 0), Level::Bad);
        assert_eq!(clock_at(EPOCH_MS, None).level, Level::Ok);
    }

    #[test]
    fn who_holds_a_lock_is_found_by_the_file() {
        let locks = "\
1: POSIX  ADVISORY  WRITE 11 08:02:7 0 EOF
2: FLOCK  ADVISORY  WRITE 22 08:02:77 0 EOF
3: FLOCK  ADVISORY  WRITE 33 08:02:7 0 EOF
4: -> FLOCK  ADVISORY  WRITE 44 08:02:7 0 EOF
";
        assert_eq!(holder(locks, 7), Some(33));
        assert_eq!(holder(locks, 77), Some(22));
        assert_eq!(holder(locks, 8), None);
    }
}
