//! The README's tour works when it is pasted into a shell in an empty folder.

use std::fs;
use std::process::{Command, Output};

const README: &str = "../README.md";

/// The shell blocks below a heading, until the next heading of its rank, as one script.
fn script(page: &str, heading: &str) -> String {
    let chapter = page.lines().skip_while(|line| *line != heading).skip(1);
    let chapter = chapter.take_while(|line| !line.starts_with("## "));
    let mut script = String::new();
    let mut inside = false;
    for line in chapter {
        match line {
            "```sh" => inside = true,
            "```" => inside = false,
            _ if inside => script.push_str(&format!("{line}\n")),
            _ => {}
        }
    }
    script
}

/// Pastes a script into a shell that stops at the first command that fails.
fn paste(script: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let binary = camino::Utf8Path::new(env!("CARGO_BIN_EXE_mangrove"));
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", binary.parent().unwrap());
    // What a step that failed has left running does not outlive it.
    let script = format!("trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{script}");
    let mut shell = Command::new("bash");
    shell.args(["-euo", "pipefail", "-c", &script]).current_dir(folder.path());
    shell.env_clear().env("PATH", path).env("HOME", folder.path()).output().unwrap()
}

#[test]
fn the_readme_can_be_pasted() {
    let page = fs::read_to_string(README).unwrap();
    let script = script(&page, "## A five-minute tour");
    assert!(script.matches("mangrove ").count() >= 3, "the tour shows next to nothing:\n{script}");
    let output = paste(&script);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{script}");
}

#[test]
fn a_step_that_fails_is_noticed() {
    let page =
        "## Tour\n```sh\nmangrove version\nmangrove config set no.such 1 | cat\n```\n## Next\n";
    let script = script(page, "## Tour");
    assert_eq!(script.lines().count(), 2);
    assert!(!paste(&script).status.success());
    assert!(paste("mangrove version").status.success());
}
