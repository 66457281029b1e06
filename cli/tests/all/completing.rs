//! Completing command lines, as a shell does.

use std::process::Command;

use crate::run::Place;
use crate::running::Running;

/// What bash offers for the last of these words.
fn offered(place: &Place, words: &[&str]) -> Vec<String> {
    let script = place.run(&["completions", "bash"]).succeeded().stdout;
    let script = place.write("completions", script);
    let (at, last) = (words.len() - 1, words.last().unwrap());
    // As bash does it when somebody presses the key.
    let lines = format!(
        "source {script}; COMP_WORDS=({}); COMP_CWORD={at}; COMP_TYPE=9\n\
         _clap_complete_mangrove mangrove '{last}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.iter().map(|word| format!("'{word}' ")).collect::<String>(),
    );
    let program = camino::Utf8Path::new(env!("CARGO_BIN_EXE_mangrove")).parent().unwrap();
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", &lines]).current_dir(place.path("")).env_clear();
    bash.env("HOME", place.path("user")).env("PATH", format!("{program}:/usr/bin:/bin"));
    let output = bash.output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let offered = String::from_utf8(output.stdout).unwrap();
    offered.lines().map(str::to_owned).filter(|line| !line.is_empty()).collect()
}

#[test]
fn commands_flags_and_the_names_of_contexts_are_completed() {
    let place = Place::new();
    assert!(offered(&place, &["mangrove", "con"]).starts_with(&["connect".into()]));
    assert_eq!(offered(&place, &["mangrove", "scan", "--li"]), ["--limit"]);
    let at_home = |words: &[&str]| {
        let all = [&["mangrove", "--timeout", "20", "--home", "X"], words].concat();
        offered(&place, &all)
    };
    assert_eq!(at_home(&["get", "g"]), [""; 0], "nobody knows");
    place.write("zebra.jsonl", "");
    assert_eq!(at_home(&["apply", "garden", "zeb"]), ["zebra.jsonl"]);
    let node = Running::start(&place, &[]);
    for name in ["garden", "gate", "my garden", "shed"] {
        node.text(&["context", "create", name]);
    }
    for command in [&["get"][..], &["watch"], &["member", "list"], &["context", "leave"]] {
        assert_eq!(at_home(&[command, &["ga"]].concat()), ["garden", "gate"], "{command:?}");
    }
    assert_eq!(at_home(&["get", "sh"]), ["shed"]);
    let all = at_home(&["get", ""]);
    let contexts = all.iter().filter(|word| !word.starts_with('-')).collect::<Vec<_>>();
    assert_eq!(contexts.len(), 4, "{contexts:?}");
    assert!(contexts.iter().any(|word| word.len() > 40), "by its id, for the space in its name");
    assert_eq!(at_home(&["get", "garden", "ga"]), [""; 0], "a key is none");
}
