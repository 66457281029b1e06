//! Times and durations, as people read them.

use std::time::{SystemTime, UNIX_EPOCH};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Units, and how many milliseconds each has.
const UNITS: [(&str, u64); 4] = [("d", DAY), ("h", HOUR), ("min", MINUTE), ("s", SECOND)];

/// The time of day, in Unix milliseconds.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// So long, in its largest unit and the next one.
pub(crate) fn span(ms: u64) -> String {
    let Some(at) = UNITS.iter().position(|(_, size)| ms >= *size) else {
        return format!("{ms} ms");
    };
    let mut rest = ms;
    let mut parts = Vec::new();
    for (unit, size) in UNITS.iter().skip(at).take(2) {
        let number = rest / size;
        rest %= size;
        if number > 0 {
            parts.push(format!("{number} {unit}"));
        }
    }
    parts.join(" ")
}

/// How far an instant is from this one.
pub(crate) fn ago(at_ms: u64, now_ms: u64) -> String {
    match (now_ms.checked_sub(at_ms), at_ms.saturating_sub(now_ms)) {
        (Some(passed), _) if passed < SECOND => "just now".to_owned(),
        (Some(passed), _) => format!("{} ago", roughly(passed)),
        (None, ahead) if ahead < SECOND => "just now".to_owned(),
        (None, ahead) => format!("in {}", roughly(ahead)),
    }
}

/// So long, in its largest unit alone.
fn roughly(ms: u64) -> String {
    match UNITS.iter().find(|(_, size)| ms >= *size) {
        None => format!("{ms} ms"),
        Some(("d", size)) if ms / size == 1 => "1 day".to_owned(),
        Some(("d", size)) => format!("{} days", ms / size),
        Some((unit, size)) => format!("{} {unit}", ms / size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_two_units_at_most() {
        for (ms, expect) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_000, "1 s"),
            (61_500, "1 min 1 s"),
            (2 * HOUR, "2 h"),
            (2 * HOUR + 5 * MINUTE + 3_000, "2 h 5 min"),
            (DAY + 1, "1 d"),
            (400 * DAY + 3 * HOUR, "400 d 3 h"),
        ] {
            assert_eq!(span(ms), expect);
        }
    }

    #[test]
    fn an_instant_is_told_by_its_distance() {
        let now = 500 * DAY;
        for (at, expect) in [
            (now, "just now"),
            (now - 999, "just now"),
            (now + 999, "just now"),
            (now - 12_400, "12 s ago"),
            (now - 3 * MINUTE, "3 min ago"),
            (now - 5 * HOUR, "5 h ago"),
            (now - DAY, "1 day ago"),
            (now + 7 * DAY, "in 7 days"),
            (0, "500 days ago"),
        ] {
            assert_eq!(ago(at, now), expect);
        }
    }

    #[test]
    fn the_clock_of_the_machine_is_read() {
        assert!(now_ms() > 1_600_000_000_000);
    }
}
