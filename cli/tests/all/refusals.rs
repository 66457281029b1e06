//! What commands that ask a node do when they cannot: the code, the kind, and a hint.

use crate::run::Place;
use crate::running::Running;

#[test]
fn without_a_node_nothing_can_be_asked() {
    let place = Place::new();
    let home = place.init();
    let commands: [&[&str]; 12] = [
        &["status"],
        &["peers"],
        &["connect", "/ip4/127.0.0.1/tcp/1"],
        &["ban", "12D3KooW"],
        &["context", "list"],
        &["invite", "c"],
        &["join", "ticket"],
        &["member", "list", "c"],
        &["get", "c", "k"],
        &["watch", "c"],
        &["apply", "c"],
        &["token", "list"],
    ];
    for args in commands {
        let run = place.run(&[args, &["--home", "X", "--json"]].concat());
        assert_eq!((run.code, run.error_kind().as_str()), (Some(3), "unreachable"), "{args:?}");
    }
    place.run(&["get", "c", "k", "--home", "X"]).failed(
        3,
        &format!("error: no node runs in {home}\n    hint: start it: mangrove run --home {home}\n"),
    );
    // What a killed node has left is no node.
    std::fs::create_dir(home.join("run")).unwrap();
    let left = r#"{"pid": 4194304, "api": "http://127.0.0.1:1", "peer": "p"}"#;
    std::fs::write(home.join("run/node.json"), left).unwrap();
    assert_eq!(place.run(&["status", "--home", "X"]).code, Some(3));
    // One that says to run, and does not answer.
    let left = format!(r#"{{"pid": {}, "api": "http://127.0.0.1:1"}}"#, std::process::id());
    std::fs::write(home.join("run/node.json"), left).unwrap();
    let run = place.run(&["status", "--home", "X"]);
    assert_eq!(run.code, Some(3));
    assert!(run.stderr.contains("no node answers at http://127.0.0.1:1"), "{}", run.stderr);
}

#[test]
fn what_the_node_refuses_ends_with_the_code_for_it() {
    let place = Place::new();
    let node = Running::start(&place, &[]);
    node.text(&["context", "create", "c"]);
    node.text(&["context", "create", "twin"]);
    node.text(&["context", "create", "twin"]);
    let long = "k".repeat(1_025);
    let checks: [(&[&str], i32, &str); 14] = [
        (&["get", "nothing", "k"], 4, "notFound"),
        (&["context", "show", "nothing"], 4, "notFound"),
        (&["watch", "nothing"], 4, "notFound"),
        (&["apply", "nothing", "none"], 4, "notFound"),
        (&["get", "c", "k"], 4, "notFound"),
        (&["unban", node.ready["peer"].as_str().unwrap()], 4, "notFound"),
        (&["get", "twin", "k"], 2, "ambiguous"),
        (&["put", "c", &long, "v"], 1, "tooLarge"),
        (&["put", "c", "k", "12345678901234567890123"], 2, "invalidParams"),
        (&["ban", "me"], 2, "invalidParams"),
        (&["history", "c", "--limit", "0"], 2, "invalidParams"),
        (&["join", "no ticket"], 5, "ticket"),
        (&["blob", "list", "c"], 1, "methodNotFound"),
        (&["blob", "put", "c", "k", "file"], 1, "methodNotFound"),
    ];
    for (args, code, kind) in checks {
        assert_eq!(node.refuses(args), (Some(code), kind.to_owned()), "{args:?}");
    }
    let run = node.run(&["get", "nothing", "k"]);
    assert!(run.stderr.contains("hint: mangrove context list"), "{}", run.stderr);
    place.write("wrong", "mgt_wrong\n");
    let run = node.run(&["status", "--token-file", "wrong"]);
    assert_eq!(run.code, Some(5));
    assert!(run.stderr.contains("hint: the token is that of "), "{}", run.stderr);
    let run = node.run(&["status", "--token-file", "missing"]);
    assert_eq!(run.code, Some(5));
}

#[test]
fn what_cannot_be_taken_back_needs_a_yes_where_nobody_can_be_asked() {
    let place = Place::new();
    let node = Running::start(&place, &[]);
    node.text(&["context", "create", "c"]);
    let peer = node.ready["peer"].as_str().unwrap();
    for args in [
        &["context", "leave", "c"][..],
        &["context", "forget", "c"],
        &["member", "remove", "c", peer],
    ] {
        let run = node.run(args);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{args:?}");
        assert!(run.stderr.contains("hint: if it is meant, add --yes"), "{}", run.stderr);
    }
    assert_eq!(node.json(&["context", "show", "c"])["state"], "ready", "nothing has happened");
}

#[test]
fn lines_that_are_no_operations_are_told_with_their_place() {
    let place = Place::new();
    let node = Running::start(&place, &[]);
    node.text(&["context", "create", "c"]);
    let apply = |text: &str, batch: &str| {
        place.write("ops", text);
        let run = node.run(&["apply", "c", "ops", "--batch", batch, "--json"]);
        let error = run.json()["error"].clone();
        (run.code, error["message"].as_str().unwrap().to_owned(), error["data"].clone())
    };
    let good = r#"{"op":"increment","key":"n","by":1}"#;
    let (code, message, data) = apply(&format!("{good}\n\n{{\"op\":\n"), "1000");
    assert_eq!(code, Some(2));
    assert!(message.starts_with("line 3: it is no JSON: "), "{message}");
    assert!(message.ends_with("; nothing is written"), "{message}");
    assert_eq!((&data["batches"], &data["ops"]), (&0.into(), &0.into()));
    let (code, message, data) = apply(&format!("{good}\n{{\"op\":\"dance\"}}\n{good}\n"), "1000");
    assert_eq!(code, Some(2));
    assert!(message.starts_with("line 2 is not written: "), "{message}");
    assert_eq!(data["line"], 2);
    let (_, message, data) = apply(&format!("{good}\n{good}\n{good}\n7\n"), "2");
    assert!(message.starts_with("line 4: it is no operation: "), "{message}");
    assert_eq!(
        (&data["batches"], &data["ops"], &data["nextLine"]),
        (&1.into(), &2.into(), &3.into())
    );
    let counted = node.text(&["get", "c", "n", "--kind", "counter"]);
    assert_eq!(counted, "2\n", "a batch is written as a whole, or not at all");
    assert_eq!(node.run(&["apply", "c", "missing"]).code, Some(4));
    assert_eq!(node.run(&["apply", "c", "ops", "--batch", "0"]).code, Some(2));
    assert_eq!(node.run(&["apply", "c", "ops", "--batch", "5000"]).code, Some(2));
}

#[test]
fn invites_are_understood_whatever_a_context_is_called() {
    let place = Place::new();
    let node = Running::start(&place, &[]);
    let made = node.json(&["context", "create", "list"]);
    let id = made["context"].as_str().unwrap();
    assert_eq!(node.run(&["invite"]).code, Some(2));
    assert_eq!(node.run(&["invite", "list"]).code, Some(2), "of which context?");
    assert!(node.text(&["invite", id]).len() > 60);
    let listed = node.json(&["invite", "list", "list"]);
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(node.run(&["invite", id, "--expires", "soon"]).code, Some(2));
    assert_eq!(node.run(&["invite", id, "--role", "king"]).code, Some(2));
}
