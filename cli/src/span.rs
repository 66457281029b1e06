//! Durations, as they are typed: `90s`, `30m`, `12h`, `7d`, `2w`.

use std::time::Duration;

/// Letters, and how many seconds each stands for.
const UNITS: [(char, u64); 5] =
    [('s', 1), ('m', 60), ('h', 60 * 60), ('d', 24 * 60 * 60), ('w', 7 * 24 * 60 * 60)];

/// Reads a duration: numbers with a letter each, the sum of which is meant.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let unreadable = || format!("`{text}` is no duration: write it like 90s, 30m, 12h or 7d");
    let mut secs = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(unreadable)?;
        let (digits, after) = rest.split_at_checked(end).ok_or_else(unreadable)?;
        let mut after = after.chars();
        let letter = after.next().ok_or_else(unreadable)?;
        let unit = UNITS.iter().find(|(unit, _)| *unit == letter).ok_or_else(unreadable)?;
        let number = digits.parse::<u64>().map_err(|_| unreadable())?;
        let more = number.checked_mul(unit.1).and_then(|more| secs.checked_add(more));
        secs = more.ok_or_else(|| format!("`{text}` is too long"))?;
        rest = after.as_str();
    }
    match secs {
        0 => Err(unreadable()),
        secs => Ok(Duration::from_secs(secs)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, secs) in [
            ("90s", 90),
            ("30m", 1_800),
            ("12h", 43_200),
            ("7d", 604_800),
            ("2w", 1_209_600),
            ("1h30m", 5_400),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs(secs)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "7", "d", "7 d", "-7d", "7D", "1.5h", "0s", "7dä", "ä", "7d 3h"] {
            let why = parse(text).unwrap_err();
            assert!(why.contains("is no duration"), "{text}: {why}");
        }
        assert!(parse("99999999999999999999s").unwrap_err().contains("is no duration"));
        assert!(parse("9999999999999999w").unwrap_err().contains("is too long"));
    }
}
