//! What is printed where: answers, notes, errors, help.

use std::io::Read;
use std::process::Stdio;

use mangrove_cli::Kind;
use mangrove_protocol::limits::TABLE;

use crate::run::Place;

#[test]
fn usage_errors_exit_2_and_are_json_when_asked() {
    let place = Place::new();
    let run = place.run(&["frobnicate"]);
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.starts_with("error: unrecognized subcommand 'frobnicate'"),
        "{}",
        run.stderr
    );
    assert_eq!(run.stdout, "");
    let run = place.run(&["--json", "config", "sett"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(2), ""));
    let error = &run.json()["error"];
    assert_eq!(error["kind"], "invalidParams");
    assert_eq!(error["code"], -32602);
    assert_eq!(error["message"], "unrecognized subcommand 'sett'");
    assert!(error["hint"].as_str().unwrap().contains("'set'"), "{error}");
    assert_eq!(place.run(&[]).code, Some(2));
    assert_eq!(place.run(&["limits", "--timeout", "0"]).code, Some(2));
}

#[test]
fn help_and_version_are_answers() {
    let place = Place::new();
    assert!(place.run(&["--help"]).succeeded().stdout.contains("Usage: mangrove"));
    assert!(place.run(&["help", "config", "set"]).succeeded().stdout.contains("section.key"));
    let version = format!("mangrove {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(place.run(&["--version"]).succeeded().stdout, version);
    assert_eq!(place.run(&["version"]).succeeded().stdout, version);
    let json = place.run(&["version", "--json"]).succeeded().json();
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(json["homeFormat"], 1);
}

#[test]
fn limits_are_those_of_the_table() {
    let place = Place::new();
    let json = place.run(&["limits", "--json"]).succeeded().json();
    assert_eq!(json.as_object().unwrap().len(), TABLE.len());
    for limit in TABLE {
        assert_eq!(json[limit.name], limit.value, "{}", limit.name);
    }
    let text = place.run(&["limits", "--quiet"]).succeeded().stdout;
    let line = "valueBytes*             524288    512 KiB   a value, as canonical JSON\n";
    assert!(text.contains(line), "{text}");
}

#[test]
fn completions_are_made_for_every_shell() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = place.run(&["completions", shell]).succeeded().stdout;
        assert!(script.contains("mangrove") && script.contains("MANGROVE_COMPLETE"), "{shell}");
    }
}

#[test]
fn colours_are_used_when_asked_for_and_never_in_a_pipe() {
    let place = Place::new();
    let args = ["config", "check", "--set", "a.b=c"];
    assert!(!place.run(&args).stderr.contains('\x1b'));
    let always = place.run(&[&args[..], &["--color", "always"]].concat());
    assert!(always.stderr.starts_with("\x1b[1;31merror:\x1b[0m "), "{}", always.stderr);
    let always = place.run(&["--color=always", "--help"]);
    assert!(always.stdout.contains('\x1b'));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let place = Place::new();
    let mut command = place.command();
    command.args(["completions", "zsh"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""));
}

#[test]
fn failpoints_that_cannot_be_read_are_refused() {
    let place = Place::new().with("MANGROVE_FAILPOINTS", "init,whenever=abort");
    let run = place.run(&["limits"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("`whenever` is none of sub:X, p:F, once"), "{}", run.stderr);
}

#[test]
fn every_kind_has_a_name_a_code_and_an_exit_code_of_the_contract() {
    let table = Kind::ALL.map(|kind| (kind.name(), kind.code(), kind.exit_code()));
    let expect = [
        ("invalidParams", -32602, 2),
        ("config", -32602, 1),
        ("parse", -32700, 2),
        ("invalidRequest", -32600, 1),
        ("methodNotFound", -32601, 1),
        ("notFound", -32003, 4),
        ("conflict", -32004, 1),
        ("unauthorized", -32001, 5),
        ("forbidden", -32002, 5),
        ("misdirected", -32002, 5),
        ("tooLarge", -32005, 1),
        ("syncing", -32006, 6),
        ("quarantined", -32007, 1),
        ("ticket", -32008, 5),
        ("storage", -32011, 1),
        ("unreachable", -32009, 3),
        ("stopping", -32010, 3),
        ("ambiguous", -32012, 2),
        ("clock", -32013, 1),
        ("busy", -32000, 6),
        ("fatal", -32603, 101),
        ("internal", -32603, 1),
    ];
    assert_eq!(
        table,
        expect.map(|(name, code, exit)| (name, code, std::process::ExitCode::from(exit)))
    );
}

#[test]
fn version_takes_less_than_20_ms_of_the_processor() {
    let place = Place::new();
    let before = children_ms();
    for _ in 0..10 {
        place.run(&["version"]).succeeded();
    }
    let each = (children_ms() - before) / 10.0;
    assert!(each < 20.0, "{each} ms");
}

/// Milliseconds of processor time that this process's ended children took, from the kernel's own
/// count in clock ticks of 10 ms.
fn children_ms() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    let ticks = after_name.split_whitespace().skip(13).take(2);
    ticks.map(|ticks| ticks.parse::<f64>().unwrap() * 10.0).sum()
}
