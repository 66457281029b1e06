//! One broken rule, told so that a newcomer can mend it.

use std::fmt;

/// A place where a rule of the house does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule: the name of its file under `rules/`.
    pub rule: &'static str,
    /// Where: `path:line`, a path, or a package.
    pub place: String,
    /// What was found there.
    pub what: String,
    /// What the house does instead.
    pub instead: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, place, what, instead } = self;
        write!(f, "{place}: {what} [{rule}]\n    instead: {instead}")
    }
}

#[cfg(test)]
mod tests {
    use super::Violation;

    #[test]
    fn a_violation_names_its_place_and_the_way_out() {
        let violation = Violation {
            rule: "purity",
            place: "protocol/src/log.rs:7".to_owned(),
            what: "names `std::fs`".to_owned(),
            instead: "take what was read as an argument".to_owned(),
        };
        assert_eq!(
            violation.to_string(),
            "protocol/src/log.rs:7: names `std::fs` [purity]\n    \
             instead: take what was read as an argument"
        );
    }
}
