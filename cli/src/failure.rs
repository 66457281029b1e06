//! Why a command failed: what, why, and what to do about it.

use std::fmt;
use std::mem;

use serde_json::{Value, json};

use crate::exit::Kind;
use crate::human::printable;

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

    /// The same, with more for a program to read, beside what there is of that.
    #[must_use]
    pub fn data(mut self, data: Value) -> Self {
        match (&mut self.data, data) {
            (Some(Value::Object(known)), Value::Object(more)) => known.extend(more),
            (known, data) => *known = Some(data),
        }
        self
    }

    /// The same, as the reason why something larger has failed.
    #[must_use]
    pub fn under(mut self, what: impl Into<String>) -> Self {
        let why = mem::replace(&mut self.what, what.into());
        if self.reasons.first().is_none_or(|first| first.why != why) {
            self.reasons.insert(0, Reason { why, hint: None });
        }
        self
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

    /// What failed, without the reasons.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// What failed and why, in one line.
    pub fn message(&self) -> String {
        let whys = self.reasons.iter().map(|reason| reason.why.as_str());
        let whys = whys.filter(|why| *why != self.what).collect::<Vec<_>>();
        match whys.as_slice() {
            [] => self.what.clone(),
            whys => format!("{}: {}", self.what, whys.join("; ")),
        }
    }

    /// What to do about it, if that is known.
    pub fn advice(&self) -> Option<&str> {
        self.reasons.iter().find_map(|reason| reason.hint.as_deref())
    }

    /// The failure as a program reads it.
    pub fn json(&self) -> Value {
        let mut error = json!({
            "code": self.kind.code(),
            "kind": self.kind.name(),
            "message": self.message(),
            "hint": self.advice(),
        });
        if let (Some(error), Some(data)) = (error.as_object_mut(), &self.data) {
            error.insert("data".to_owned(), data.clone());
        }
        json!({ "error": error })
    }

    /// The failure as a person reads it, within one screen.
    pub fn text(&self, paint: impl Fn(&str) -> String) -> String {
        let shown = |text: &str| text.split('\n').map(printable).collect::<Vec<_>>().join("\n  ");
        let mut text = format!("{} {}\n", paint("error:"), shown(&self.what));
        for reason in self.reasons.iter().take(MAX_REASONS) {
            if reason.why != self.what {
                text.push_str(&format!("  {}\n", shown(&reason.why)));
            }
            if let Some(hint) = &reason.hint {
                text.push_str(&format!("    {} {}\n", paint("hint:"), shown(hint)));
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

    #[test]
    fn a_failure_becomes_the_reason_of_a_larger_one() {
        let inner = || Failure::new(Kind::TooLarge, "the value is too long");
        let outer = inner().hint("cut it").data(json!({ "a": 1 })).under("line 7 is not written");
        let outer = outer.data(json!({ "b": 2 }));
        let text = "error: line 7 is not written\n  the value is too long\n    hint: cut it\n";
        assert_eq!(outer.text(str::to_owned), text);
        assert_eq!(outer.json().pointer("/error/data"), Some(&json!({ "a": 1, "b": 2 })));
        let text = Failure::new(Kind::Busy, "a\x1b[2J").because("b\nc").text(str::to_owned);
        assert_eq!(text, "error: a\\u{1b}[2J\n  b\n  c\n", "a terminal obeys none of it");
        let outer = inner().because("it is").under("nothing is written");
        assert_eq!(outer.message(), "nothing is written: the value is too long; it is");
    }
}
