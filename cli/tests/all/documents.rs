//! The manual is what the program says of itself. `make doc` writes it anew.

use std::fs;

use camino::Utf8Path;

const INTRODUCTION: &str = "\
# The command line

This page is made from `mangrove help`; do not edit it by hand (`make doc` writes it).
";

/// A command and all below it: a heading and its long help each.
fn chapter(command: &clap::Command, path: &str, page: &mut String) {
    let name = format!("{path} {}", command.get_name());
    let name = name.trim();
    let mut shown = command.clone().term_width(88).bin_name(name.to_owned());
    let help = shown.render_long_help().to_string();
    let help = help.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    page.push_str(&format!("\n## `{name}`\n\n```text\n{}\n```\n", help.trim_end()));
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        chapter(below, name, page);
    }
}

#[test]
fn the_manual_is_what_help_says() {
    let mut command = mangrove_cli::command();
    command.build();
    let mut page = INTRODUCTION.to_owned();
    chapter(&command, "", &mut page);
    let path = Utf8Path::new("../docs/cli.md");
    if std::env::var_os("MANGROVE_BLESS").is_some() {
        fs::write(path, &page).unwrap();
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    assert!(found == page, "{path} is out of date: run `make doc`");
}

#[test]
fn every_command_begins_with_an_imperative_and_no_full_stop() {
    fn check(command: &clap::Command) {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let first = about.split(' ').next().unwrap_or_default();
        assert!(!about.is_empty() && !about.ends_with('.'), "{}: {about}", command.get_name());
        assert!(!first.ends_with('s'), "{}: {about}", command.get_name());
        command.get_subcommands().for_each(check);
    }
    check(&mangrove_cli::command());
}
