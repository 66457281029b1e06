//! The members of an object, which RFC 8785 sorts by the UTF-16 code units of their names.

use std::cmp::Ordering;

use super::path::Name;

/// A member that was read and written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    pub(super) name: Name,
    /// Where it was read.
    pub(super) from: usize,
    /// Where it was written.
    pub(super) at: usize,
    /// Where what was written ends, without a comma.
    pub(super) end: usize,
}

/// Sorts what `out` ends with: these members, commas between them. If names are there twice, gives
/// the first member whose name was there before.
pub(super) fn sort(members: &mut [Member], names: &str, out: &mut Vec<u8>) -> Result<(), Member> {
    let order = |a: &Member, b: &Member| compare(a.name.within(names), b.name.within(names));
    let Some(start) = members.first().map(|first| first.at) else {
        return Ok(());
    };
    if members.is_sorted_by(|a, b| order(a, b).is_lt()) {
        return Ok(());
    }
    members.sort_unstable_by(|a, b| order(a, b).then(a.from.cmp(&b.from)));
    let neighbours = members.iter().zip(members.iter().skip(1));
    let again = neighbours.filter(|(a, b)| order(a, b).is_eq()).map(|(_, b)| *b);
    if let Some(again) = again.min_by_key(|again| again.from) {
        return Err(again);
    }
    let written = out.split_off(start);
    for Member { at, end, .. } in members.iter() {
        if out.len() > start {
            out.push(b',');
        }
        out.extend_from_slice(written.get(at - start..end - start).unwrap_or_default());
    }
    Ok(())
}

/// By code units: unlike by code points, what needs two of them comes before U+E000 to U+FFFF.
fn compare(a: &str, b: &str) -> Ordering {
    a.encode_utf16().cmp(b.encode_utf16())
}
