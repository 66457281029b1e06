//! The real workspace, held to every rule of the house.

use camino::Utf8Path;
use mangrove_tidy::rules::{self, GraphRule, TreeRule};
use mangrove_tidy::{Error, File, Graph, Tree, Violation, workspace_root};

#[test]
fn arrows_point_down() -> Result<(), Error> {
    check_graph(rules::arrows::violations)
}

#[test]
fn each_technology_stays_in_its_room() -> Result<(), Error> {
    check_graph(rules::technology::violations)
}

#[test]
fn the_protocol_and_its_simulator_are_pure() -> Result<(), Error> {
    check_tree(rules::purity::violations)
}

#[test]
fn comments_say_why() -> Result<(), Error> {
    check_tree(rules::comments::violations)
}

#[test]
fn names_say_what() -> Result<(), Error> {
    check_tree(rules::names::violations)
}

#[test]
fn attributes_that_silence_give_a_reason() -> Result<(), Error> {
    check_tree(rules::attributes::violations)
}

#[test]
fn no_call_drops_messages_or_stands_for_missing_code() -> Result<(), Error> {
    check_tree(rules::calls::violations)
}

#[test]
fn every_source_file_opens_with_its_reason() -> Result<(), Error> {
    check_tree(rules::opening::violations)
}

#[test]
fn documented_commands_exist() -> Result<(), Error> {
    check_tree(rules::commands::violations)
}

#[test]
fn documented_make_targets_exist() -> Result<(), Error> {
    check_tree(rules::targets::violations)
}

#[test]
fn relative_links_lead_somewhere() -> Result<(), Error> {
    check_tree(rules::links::violations)
}

#[test]
fn no_file_knows_its_authors_machine() -> Result<(), Error> {
    check_tree(rules::paths::violations)
}

#[test]
fn no_file_holds_a_private_key() -> Result<(), Error> {
    check_tree(rules::keys::violations)
}

#[test]
fn no_file_is_heavy() -> Result<(), Error> {
    check_tree(rules::weight::violations)
}

#[test]
fn no_merge_is_half_done() -> Result<(), Error> {
    check_tree(rules::conflicts::violations)
}

#[test]
fn every_decision_is_listed() -> Result<(), Error> {
    check_tree(rules::decisions::violations)
}

#[test]
fn no_rule_is_forgotten_here_or_in_the_report() -> Result<(), Error> {
    let tree = Tree::load(&workspace_root())?;
    let text = |path| tree.file(Utf8Path::new(path)).map(File::text).unwrap_or_default();
    let (here, report) = (text("tests/tidy/tests/house.rs"), text("tests/tidy/src/rules/mod.rs"));
    let files = tree.rust().filter(|file| file.path().starts_with("tests/tidy/src/rules"));
    for rule in files.filter_map(|file| file.path().file_stem()).filter(|stem| *stem != "mod") {
        assert!(here.contains(&format!("(rules::{rule}::violations)")), "{rule} has no test here");
        assert!(report.contains(&format!("{rule}::violations")), "{rule} is not in the report");
    }
    Ok(())
}

fn check_tree(rule: TreeRule) -> Result<(), Error> {
    check(&rule(&Tree::load(&workspace_root())?));
    Ok(())
}

fn check_graph(rule: GraphRule) -> Result<(), Error> {
    check(&rule(&Graph::load(&workspace_root())?));
    Ok(())
}

fn check(violations: &[Violation]) {
    let list: String = violations.iter().map(|violation| format!("\n{violation}")).collect();
    assert!(violations.is_empty(), "violations: {}{list}", violations.len());
}
