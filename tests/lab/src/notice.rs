//! The line that tells why a test does less than it could.

/// Says that something is left out, why, and what would be needed.
#[expect(clippy::print_stderr, reason = "whoever runs a test has to see what it did not test")]
pub(crate) fn skipped(what: &str, why: &str, needed: &str) {
    eprintln!("mangrove-lab: no {what}: {why}; needed: {needed}");
}
