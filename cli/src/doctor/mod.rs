//! `mangrove doctor`: whether all is well with the home, the node and its contexts, and what to do if not.

mod home;
mod node;

use serde_json::{Value, json};

use crate::failure::Failure;
use crate::human::printable;
use crate::paint::{Look, Tone};
use crate::present::{Ending, Report};
use crate::session::Session;

/// How serious something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    /// As it should be.
    Ok,
    /// Worth a look.
    Warn,
    /// Wrong.
    Bad,
}

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    check: &'static str,
    level: Level,
    what: String,
    hint: Option<String>,
}

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }

    const fn tone(self) -> Tone {
        match self {
            Self::Ok => Tone::Good,
            Self::Warn => Tone::Warn,
            Self::Bad => Tone::Bad,
        }
    }
}

impl Finding {
    fn new(check: &'static str, level: Level, what: impl Into<String>) -> Self {
        Self { check, level, what: what.into(), hint: None }
    }

    fn ok(check: &'static str, what: impl Into<String>) -> Self {
        Self::new(check, Level::Ok, what)
    }

    fn warn(check: &'static str, what: impl Into<String>) -> Self {
        Self::new(check, Level::Warn, what)
    }

    fn bad(check: &'static str, what: impl Into<String>) -> Self {
        Self::new(check, Level::Bad, what)
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Something that could not be looked at, or was found to be wrong by who looked.
    fn failed(check: &'static str, failure: &Failure) -> Self {
        let hint = failure.advice().map(str::to_owned);
        Self { hint, ..Self::bad(check, failure.message()) }
    }

    fn json(&self) -> Value {
        let Self { check, level, what, hint } = self;
        json!({ "check": check, "level": level.name(), "what": what, "hint": hint })
    }
}

pub(crate) fn run(session: &Session) -> Report {
    let mut findings = Vec::new();
    if session.api.is_none() {
        findings.extend(home::look(session));
    }
    findings.extend(node::look(session));
    let is_bad = findings.iter().any(|finding| finding.level == Level::Bad);
    let all = findings.iter().map(Finding::json).collect::<Vec<_>>();
    let report = Report::answer(text(&findings, session.look), json!({ "findings": all }));
    report.ending(Ending(u8::from(is_bad)))
}

fn text(findings: &[Finding], look: Look) -> String {
    let wide = findings.iter().map(|finding| finding.check.len()).max().unwrap_or_default();
    let mut text = String::new();
    for Finding { check, level, what, hint } in findings {
        let word = look.paint.paint(level.tone(), &format!("{:<4}", level.name()));
        text.push_str(&format!("{word}  {check:<wide$}  {}\n", printable(what)));
        if let Some(hint) = hint {
            let word = look.paint.paint(Tone::Strong, "hint:");
            text.push_str(&format!("      {:<wide$}  {word} {}\n", "", printable(hint)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Kind;
    use crate::paint::Paint;

    #[test]
    fn findings_are_told_with_what_to_do() {
        let failure = Failure::new(Kind::Storage, "it is damaged").hint("restore it");
        let findings = [Finding::ok("home", "all is well"), Finding::failed("contexts", &failure)];
        let look = Look { paint: Paint::Off, columns: None };
        let expect = "\
ok    home      all is well
bad   contexts  it is damaged
                hint: restore it
";
        assert_eq!(text(&findings, look), expect);
        let json = json!({ "check": "home", "level": "ok", "what": "all is well", "hint": null });
        assert_eq!(findings.first().map(Finding::json), Some(json));
    }
}
