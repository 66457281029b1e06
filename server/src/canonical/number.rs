//! Numbers: doubles, printed as ECMAScript does, if that changes nothing.
//!
//! ECMAScript prints the fewest digits that come back as the same double, of those the nearest, and
//! of two equally near the even one. The last is why the digits come from `ryu-js`: the standard
//! library prints 1424953923781206.25 with a 3 at its end, where V8 and the RFC have a 2.

use std::fmt;

use super::Unfit;
use super::reader::Reader;

/// Bytes of a number's text that are shown.
const SHOWN_BYTES: usize = 40;

/// Digits of an integer that its double surely holds, and prints as they are.
const SURE_DIGITS: usize = 15;

/// Writes the number with this text, unless its double prints as another number.
pub(super) fn write(text: &str, out: &mut Vec<u8>) -> bool {
    if text.len() <= SURE_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit()) {
        out.extend_from_slice(text.as_bytes());
        return true;
    }
    let mut buffer = ryu_js::Buffer::new();
    let printed = Decimal::of(text).and_then(|exact| {
        let double: f64 = exact.to_string().parse().ok()?;
        let printed = double.is_finite().then(|| buffer.format_finite(double))?;
        (Decimal::of(printed)? == exact).then_some(printed)
    });
    out.extend_from_slice(printed.unwrap_or_default().as_bytes());
    printed.is_some()
}

/// The text of a number, or its beginning.
pub(super) fn abridged(text: &str) -> String {
    match text.get(..SHOWN_BYTES) {
        Some(shown) if shown.len() < text.len() => format!("{shown}…"),
        _ => text.to_owned(),
    }
}

impl<'a> Reader<'a> {
    /// Reads a number, and gives its text.
    pub(super) fn digits(&mut self) -> Result<&'a str, Unfit> {
        let start = self.rest;
        self.takes('-');
        if !self.takes('0') {
            self.some_digits()?;
        }
        if self.takes('.') {
            self.some_digits()?;
        }
        if self.takes('e') || self.takes('E') {
            if !self.takes('+') {
                self.takes('-');
            }
            self.some_digits()?;
        }
        Ok(self.since(start))
    }

    fn some_digits(&mut self) -> Result<(), Unfit> {
        let rest = self.rest.trim_start_matches(|c: char| c.is_ascii_digit());
        if rest.len() == self.rest.len() {
            return Err(self.malformed("a digit"));
        }
        self.rest = rest;
        Ok(())
    }
}

/// What the text of a number says, digit for digit: `digits` × 10^`exponent`, where `digits` does
/// not end with a zero. So two are equal if their numbers are.
#[derive(PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: u64,
    exponent: i64,
}

impl Decimal {
    /// What this text says, unless that is more than any double prints: of 17 digits and with an
    /// exponent of three.
    fn of(text: &str) -> Option<Self> {
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let (digits, zeros) = significant(whole.bytes().chain(fraction.bytes()))?;
        if digits == 0 {
            return Some(Self { negative: false, digits: 0, exponent: 0 });
        }
        let shift = i64::try_from(zeros).ok()?.checked_sub(i64::try_from(fraction.len()).ok()?)?;
        let exponent = exponent.parse::<i64>().ok()?.checked_add(shift)?;
        Some(Self { negative: text.starts_with('-'), digits, exponent })
    }
}

/// The digits among these bytes from the first to the last that is not a zero, as a number, and how
/// many zeros follow. `None` if that number is beyond 64 bits.
fn significant(bytes: impl Iterator<Item = u8>) -> Option<(u64, usize)> {
    let (mut digits, mut zeros) = (0_u64, 0_usize);
    for byte in bytes.filter(u8::is_ascii_digit) {
        if byte == b'0' {
            zeros += 1;
            continue;
        }
        if digits > 0 {
            digits = digits.checked_mul(10_u64.checked_pow(u32::try_from(zeros).ok()?)?)?;
        }
        digits = digits.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
        zeros = 0;
    }
    Some((digits, zeros))
}

/// As Rust reads it. It is short, however long the text was: the standard library cuts exponents
/// off that make up for very many zeros.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        write!(f, "{sign}{}e{}", self.digits, self.exponent)
    }
}
