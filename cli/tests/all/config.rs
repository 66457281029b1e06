//! `mangrove config`: bad input of every kind ends in one screen that says where and what to do.

use std::fs;

use crate::run::Place;

/// The home's configuration is this text; `config check` fails with these lines.
#[track_caller]
fn check(text: &[u8], expect: &str) {
    let place = Place::new();
    let home = place.init();
    fs::write(home.join("config.toml"), text).unwrap();
    let run = place.run(&["config", "check", "--home", "X"]);
    let expect = expect.replace("CONFIG", home.join("config.toml").as_str());
    run.failed(1, &format!("error: the configuration is not in order\n{expect}"));
    let json = place.run(&["config", "check", "--home", "X", "--json"]);
    assert_eq!((json.code, json.error_kind().as_str()), (Some(1), "config"));
}

#[test]
fn bad_configurations_say_where_and_what_to_do() {
    check(
        b"[server]\nlisten = 2770\n",
        "  CONFIG:2:1: server.listen: expected an IP address and a port, found an integer\n",
    );
    check(
        b"[server]\nlissten = \"127.0.0.1:2770\"\n",
        "  CONFIG:2:1: server.lissten: unknown key\n    hint: did you mean `server.listen`?\n",
    );
    check(
        b"[server]\nlisten = \"127.0.0.1:70000\"\n",
        "  CONFIG:2:1: server.listen: port 70000 is out of range\n    \
         hint: ports go from 0 to 65535\n",
    );
    check(
        b"[log]\n\nfilter = \"\xe4\"\n",
        "  CONFIG:3:11: byte 0xe4 is not UTF-8\n    \
         hint: save the file as UTF-8; `file` or an editor tells what it is\n",
    );
}

#[test]
fn a_configuration_that_cannot_be_read_says_why() {
    let place = Place::new();
    let home = place.init();
    fs::remove_file(home.join("config.toml")).unwrap();
    fs::create_dir(home.join("config.toml")).unwrap();
    place.run(&["config", "show", "--home", "X"]).failed(
        1,
        &format!(
            "error: the configuration is not in order\n  {home}/config.toml: cannot be read: is a \
             directory\n    hint: a folder lies where the file should be\n"
        ),
    );
}

#[test]
fn show_tells_where_each_value_comes_from() {
    let place = Place::new().with("MANGROVE_LOG__FILTER", "debug");
    let home = place.init();
    place.run(&["config", "set", "log.format", "json", "--home", "X"]).succeeded();
    let args = ["config", "show", "--home", "X", "--set", "server.listen=127.0.0.1:0", "--json"];
    let show = place.run(&args).succeeded().json();
    let from = |key: &str| show["settings"][key]["from"].as_str().unwrap().to_owned();
    assert_eq!(from("server.listen"), "command line: --set server.listen=127.0.0.1:0");
    assert_eq!(from("log.filter"), "environment variable MANGROVE_LOG__FILTER");
    assert!(from("log.format").starts_with(&format!("{home}/config.toml:")));
    assert_eq!(from("network.bootstrap"), "default");
    assert_eq!(show["settings"]["network.bootstrap"]["value"], serde_json::json!([]));
    let text = place.run(&["config", "show", "--home", "X"]).succeeded().stdout;
    let line = "log.filter = \"debug\"  # environment variable MANGROVE_LOG__FILTER\n";
    assert!(text.contains(line), "{text}");
}

#[test]
fn the_configuration_of_no_home_is_the_defaults() {
    let place = Place::new();
    let path = place.run(&["config", "path", "--home", "X"]).succeeded().stdout;
    assert_eq!(path, format!("{}\n", place.path("X/config.toml")));
    place.run(&["config", "check", "--home", "X"]).succeeded();
    let run = place.run(&["config", "set", "log.filter", "debug", "--home", "X"]);
    let home = place.path("X");
    run.failed(
        4,
        &format!(
            "error: there is no home at {home}\n    hint: make one: mangrove init --home {home}\n"
        ),
    );
    assert!(!home.exists());
}

#[test]
fn set_changes_one_key_and_keeps_the_rest() {
    let place = Place::new();
    let home = place.init();
    let before = fs::read_to_string(home.join("config.toml")).unwrap();
    let run = place.run(&["config", "set", "server.listen", "127.0.0.1:7", "--home", "X"]);
    let text = run.succeeded().stdout;
    assert_eq!(text, "server.listen = \"127.0.0.1:7\"\nthe node will read it when it starts\n");
    let after = fs::read_to_string(home.join("config.toml")).unwrap();
    let added = "listen = \"127.0.0.1:7\"\n";
    assert_eq!(after.replacen(added, "", 1), before);
    let run = place.run(&["config", "set", "network.listen", "", "--home", "X", "--quiet"]);
    assert_eq!(run.succeeded().stdout, "");
    let show = place.run(&["config", "show", "--home", "X", "--json"]).succeeded().json();
    assert_eq!(show["settings"]["network.listen"]["value"], serde_json::json!([]));
    assert_eq!(show["settings"]["server.listen"]["value"], "127.0.0.1:7");
}

#[test]
fn set_says_when_a_restart_is_needed() {
    let place = Place::new();
    let home = place.init();
    fs::create_dir(home.join("run")).unwrap();
    let own = std::process::id();
    fs::write(home.join("run/node.json"), format!("{{\"pid\":{own}}}")).unwrap();
    let args = ["config", "set", "log.filter", "warn", "--home", "X", "--json"];
    assert_eq!(place.run(&args).succeeded().json()["restart"], true);
    fs::write(home.join("run/node.json"), "{\"pid\":2147483647}").unwrap();
    assert_eq!(place.run(&args).succeeded().json()["restart"], false);
}

#[test]
fn set_refuses_what_check_would_refuse_and_changes_nothing() {
    let place = Place::new();
    let home = place.init();
    let before = fs::read(home.join("config.toml")).unwrap();
    let set = |key: &str, value: &str| place.run(&["config", "set", key, value, "--home", "X"]);
    set("server.lissten", "127.0.0.1:1").failed(
        2,
        "error: cannot set server.lissten to \"127.0.0.1:1\"\n  unknown key\n    \
         hint: did you mean `server.listen`?\n",
    );
    assert_eq!(set("server", "x").code, Some(2));
    assert_eq!(set("log.format", "xml").code, Some(2));
    // Right by itself, wrong beside the others: the API would be open to everybody.
    let run = set("server.listen", "0.0.0.0:2770");
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("without TLS"), "{}", run.stderr);
    assert_eq!(fs::read(home.join("config.toml")).unwrap(), before);
}

#[test]
fn a_home_of_a_later_version_is_refused_naming_both() {
    let place = Place::new();
    let home = place.init();
    fs::write(home.join("home.toml"), "format = 2\nmade_by = \"9.0.0\"\n").unwrap();
    for args in
        [&["config", "show"][..], &["config", "check"], &["config", "set", "log.filter", "warn"]]
    {
        let run = place.run(&[args, &["--home", "X"]].concat());
        assert_eq!(run.code, Some(1), "{args:?}");
        let versions = format!(
            "format 2, made by mangrove 9.0.0; this is mangrove {}, which reads up to format 1",
            env!("CARGO_PKG_VERSION")
        );
        assert!(run.stderr.contains(&versions), "{}", run.stderr);
    }
}

#[test]
fn a_wrong_variable_or_flag_is_named() {
    let place = Place::new().with("MANGROVE_LOG__LEVEL", "debug");
    let run = place.run(&["config", "check", "--home", "X"]);
    assert!(
        run.stderr.contains("environment variable MANGROVE_LOG__LEVEL: log.level: unknown key")
    );
    let place = Place::new();
    let run = place.run(&["config", "check", "--home", "X", "--set", "log.format=xml"]);
    assert!(run.stderr.contains("command line: --set log.format=xml: log.format: expected"));
    assert_eq!(place.run(&["config", "check", "--set", "novalue"]).code, Some(2));
}
