//! Whether there is a page for every command, with what it does and how it fails.

use std::fs;

use super::book::{is_blessing, path};

/// Commands that never succeed, and why.
const RESERVED: [(&str, &str); 5] = [
    ("blob-put", "the node has no methods for blobs"),
    ("blob-get", "the node has no methods for blobs"),
    ("blob-list", "the node has no methods for blobs"),
    ("blob-remove", "the node has no methods for blobs"),
    ("blob-status", "the node has no methods for blobs"),
];

/// For whom a command was run that a page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    Person,
    Program,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Success,
    Failure,
}

/// The names of the pages of all commands below this one that can be run.
fn leaves(command: &clap::Command, above: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        let names = [above, &[below.get_name()]].concat();
        if !below.is_subcommand_required_set() {
            found.push(names.join("-"));
        }
        found.extend(leaves(below, &names));
    }
    found
}

/// All that a page shows.
fn shown(page: &str) -> Vec<(Reader, Ending)> {
    let (mut all, mut reader) = (Vec::new(), Reader::Person);
    for line in page.lines() {
        if line.starts_with("$ mangrove ") {
            reader = if line.ends_with(" --json") { Reader::Program } else { Reader::Person };
        } else if let Some(code) = line.strip_prefix("exit ") {
            all.push((reader, if code == "0" { Ending::Success } else { Ending::Failure }));
        }
    }
    all
}

/// What a page does not show of a command, although it should.
fn missing(leaf: &str) -> Vec<String> {
    let Ok(page) = fs::read_to_string(path(leaf)) else {
        return vec![format!("{leaf}: there is no page")];
    };
    let shown = shown(&page);
    let is_reserved = RESERVED.iter().any(|(name, _)| *name == leaf);
    let mut wrong = Vec::new();
    for reader in [Reader::Person, Reader::Program] {
        for ending in [Ending::Success, Ending::Failure] {
            let is_due = ending == Ending::Failure || !is_reserved;
            match shown.contains(&(reader, ending)) {
                true if !is_due => wrong.push(format!("{leaf}: it succeeds by now")),
                false if is_due => wrong.push(format!("{leaf}: no {ending:?} for a {reader:?}")),
                _ => {}
            }
        }
    }
    wrong
}

#[test]
fn every_command_has_a_page_with_what_it_does_and_how_it_fails() {
    if is_blessing() {
        // The worlds are writing them.
        return;
    }
    let leaves = leaves(&mangrove_cli::command(), &[]);
    let mut wrong = leaves.iter().flat_map(|leaf| missing(leaf)).collect::<Vec<_>>();
    for entry in path("any").parent().unwrap().read_dir_utf8().unwrap() {
        let entry = entry.unwrap();
        let name = entry.path().file_stem().unwrap_or_default();
        if !leaves.iter().any(|leaf| leaf == name) {
            wrong.push(format!("{name}: there is no such command"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
