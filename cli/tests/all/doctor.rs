//! `mangrove doctor`: what is well is said to be, and what is not is said with what to do.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::run::{Place, Run};
use crate::running::Running;

/// Port 0 is always free.
const ARGS: [&str; 5] = ["doctor", "--home", "X", "--set", "server.listen=127.0.0.1:0"];

fn doctor(place: &Place, args: &[&str]) -> Run {
    place.run(&[ARGS.as_slice(), args].concat())
}

/// How serious a finding of this name is.
fn level(run: &Run, check: &str) -> Option<String> {
    let json = run.json();
    let all = json.get("findings").and_then(Value::as_array).cloned().unwrap_or_default();
    let found = all.into_iter().find(|it| it.get("check").and_then(Value::as_str) == Some(check));
    found?.get("level")?.as_str().map(str::to_owned)
}

#[test]
fn without_a_home_there_is_something_to_do() {
    let run = doctor(&Place::new(), &["--json"]);
    assert_eq!((run.code, level(&run, "home").as_deref()), (Some(1), Some("bad")));
    let text = doctor(&Place::new(), &[]);
    assert!(text.stdout.contains("hint: make one: mangrove init"), "{}", text.stdout);
    assert_eq!((text.code, text.stderr.as_str()), (Some(1), ""));
}

#[test]
fn a_home_is_looked_at_without_its_node() {
    let place = Place::new();
    let home = place.init();
    let run = doctor(&place, &["--json"]);
    assert_eq!(run.code, Some(0), "{}", run.stdout);
    for (check, expect) in [
        ("home", "ok"),
        ("secrets", "ok"),
        ("settings", "ok"),
        ("clock", "ok"),
        ("port", "ok"),
        ("node", "warn"),
    ] {
        assert_eq!(level(&run, check).as_deref(), Some(expect), "{check}: {}", run.stdout);
    }
    fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(home.join("node.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let run = doctor(&place, &["--json"]);
    assert_eq!(run.code, Some(1));
    assert_eq!(level(&run, "home").as_deref(), Some("bad"));
    assert_eq!(level(&run, "secrets").as_deref(), Some("bad"));
    let text = doctor(&place, &[]).stdout;
    assert!(text.contains(&format!("hint: chmod 700 {home}\n")), "{text}");
    assert!(text.contains(&format!("hint: chmod 600 {home}/node.key\n")), "{text}");
}

#[test]
fn a_node_and_its_contexts_are_looked_at() {
    let place = Place::new();
    let node = Running::start(&place, &[]);
    node.text(&["context", "create", "notes"]);
    let run = doctor(&place, &["--json"]);
    assert_eq!(run.code, Some(0), "{}", run.stdout);
    for (check, expect) in
        [("api", "ok"), ("ready", "ok"), ("addresses", "warn"), ("peers", "ok"), ("context", "ok")]
    {
        assert_eq!(level(&run, check).as_deref(), Some(expect), "{check}: {}", run.stdout);
    }
    let text = doctor(&place, &[]).stdout;
    assert!(text.contains("notes is here alone") && text.contains(node.api()), "{text}");
    fs::write(place.path("X/api.token"), "mgt_other\n").unwrap();
    let run = doctor(&place, &["--json"]);
    assert_eq!((run.code, level(&run, "api").as_deref()), (Some(1), Some("bad")));
}
