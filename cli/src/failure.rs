//! Why a command failed: what, why, and what to do about it.

use std::fmt;

use serde_json::{Value, json};

use crate::exit::Kind;

/// More reasons than this do not fit a screen.
const MAX_REASONS: usize = 8;

/// A command that failed.
#[derive(Debug)]
pub struct Failure {
    kind: Kind,
    what: String,
    reasons: Vec<Reason>,
    data: Option<Value>,
}

#[derive(Debug)]
struct Reason {
    why: String,
    hint: Option<String>,
}

impl Failure {
    /// A failure to do `what`, as a clause without an end: "cannot make a home at /x".
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), reasons: Vec::new(), data: None }
    }

    /// The same, for this reason.
    #[must_use]
    pub fn because(mut self, why: impl fmt::Display) -> Self {
        self.reasons.push(Reason { why: why.to_string(), hint: None });
        self
    }

    /// The same, with what to do about the reason given last.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        match self.reasons.last_mut() {
            Some(reason) => reason.hint = Some(hint.into()),
            None => self.reasons.push(Reason { why: self.what.clone(), hint: Some(hint.into()) }),
        }
        self
    }

    /// The same, with more for a program to read.
    #[must_use]
    pub fn data(self, data: Value) -> Self {
        Self { data: Some(data), ..self }
    }

    /// A configuration that is not in order.
    pub fn config(error: &mangrove_config::Error) -> Self {
        let reason = |problem: &mangrove_config::Problem| Reason {
            why: problem.to_string(),
            hint: problem.hint.clone(),
        };
        Self {
            kind: Kind::Config,
            what: "the configuration is not in order".to_owned(),
            reasons: error.problems.iter().map(reason).collect(),
            data: None,
        }
    }

    /// What went wrong, as far as a caller can act on it.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The failure as a program reads it.
    pub fn json(&self) -> Value {
        let whys = self.reasons.iter().map(|reason| reason.why.as_str());
        let whys = whys.filter(|why| *why != self.what).collect::<Vec<_>>();
        let message = match whys.as_slice() {
            [] => self.what.clone(),
            whys => format!("{}: {}", self.what, whys.join("; ")),
        };
        let hint = self.reasons.iter().find_map(|reason| reason.hint.as_deref());
        let mut error = json!({
            "code": self.kind.code(),
            "kind": self.kind.name(),
            "message": message,
            "hint": hint,
        });
        if let (Some(error), Some(data)) = (error.as_object_mut(), &self.data) {
            error.insert("data".to_owned(), data.clone());
        }
        json!({ "error": error })
    }

    /// The failure as a person reads it, within one screen.
    pub fn text(&self, paint: impl Fn(&str) -> String) -> String {
        let mut text = format!("{} {}\n", paint("error:"), self.what);
        for reason in self.reasons.iter().take(MAX_REASONS) {
            if reason.why != self.what {
                text.push_str(&format!("  {}\n", reason.why.replace('\n', "\n  ")));
            }
            if let Some(hint) = &reason.hint {
                text.push_str(&format!("    {} {hint}\n", paint("hint:")));
            }
        }
        let more = self.reasons.len().saturating_sub(MAX_REASONS);
        if more > 0 {
            text.push_str(&format!("  and {more} more\n"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_fits_one_screen_and_says_how_much_it_left_out() {
        let failure = Failure::new(Kind::Config, "too much is wrong");
        let failure = (0..100).fold(failure, |failure, at| failure.because(at).hint("mend it"));
        let text = failure.text(str::to_owned);
        assert!(text.lines().count() < 24, "{text}");
        assert!(text.ends_with("  and 92 more\n"), "{text}");
    }

    #[test]
    fn a_hint_without_a_reason_stands_under_what_failed() {
        let failure = Failure::new(Kind::NotFound, "no home at /x").hint("make one");
        assert_eq!(failure.text(str::to_owned), "error: no home at /x\n    hint: make one\n");
        let message = failure.json().pointer("/error/message").cloned();
        assert_eq!(message, Some(json!("no home at /x")));
    }
}
