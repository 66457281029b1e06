//! A node as a process: how it starts, how it is asked, how it ends.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use camino::Utf8Path;
use mangrove_lab::Process;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::run::Place;
use crate::running::{Running, SOON, begin};

/// The names of what lies in the folder of what runs.
fn runs(home: &Utf8Path) -> Vec<String> {
    let entries = home.join("run").read_dir_utf8().unwrap();
    let mut names = entries.map(|it| it.unwrap().file_name().to_owned()).collect::<Vec<_>>();
    names.sort();
    names
}

#[test]
fn a_node_makes_its_home_serves_and_leaves_nothing_behind() {
    let place = Place::new();
    let node = Running::start(&place, &[]);
    let home = node.home();
    assert_eq!(runs(&home), ["diag.socket", "node.json"]);
    for name in ["diag.socket", "node.json"] {
        let mode = fs::metadata(home.join("run").join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let told = fs::read_to_string(home.join("run/node.json")).unwrap().parse::<Value>().unwrap();
    assert_eq!(told["pid"], node.process.pid());
    assert_eq!((&told["api"], &told["peer"]), (&node.ready["api"], &node.ready["peer"]));
    let peer = node.ready["peer"].as_str().unwrap();
    let addresses = node.ready["addresses"].as_array().unwrap();
    assert!(addresses[0].as_str().unwrap().ends_with(&format!("/p2p/{peer}")), "{addresses:?}");
    place.run(&["stop", "--home", "X"]).succeeded();
    assert_eq!(node.end().0, Some(0));
    assert_eq!(runs(&home), [""; 0]);
    let again = place.run(&["stop", "--home", "X"]);
    let expect = format!(
        "error: no node runs in {home}\n  no node answers at {home}/run/diag.socket\n    \
         hint: start it: mangrove run --home {home}\n"
    );
    again.failed(3, &expect);
}

#[test]
fn health_is_for_everybody_and_the_rest_for_who_has_the_token() {
    let place = Place::new();
    let node = Running::start(&place, &[]);
    let token = node.token();
    assert_eq!(node.get("/health", None), (200, r#"{"status":"ok"}"#.to_owned()));
    for path in ["/ready", "/metrics"] {
        assert_eq!(node.get(path, None).0, 401);
        assert_eq!(node.get(path, Some("mgt_wrong")).0, 401);
        assert_eq!(node.get(path, Some(&token)).0, 200);
    }
    let ready = node.get("/ready", Some(&token)).1.parse::<Value>().unwrap();
    assert_eq!((&ready["ready"], &ready["state"]), (&true.into(), &"ready".into()));
    let metrics = node.get("/metrics", Some(&token)).1;
    for name in [
        "mangrove_store_commits_total",
        "mangrove_network_peers_connected",
        "mangrove_node_events_total",
        "mangrove_node_queue_depth",
        "mangrove_node_event_seconds_bucket",
        "mangrove_process_resident_bytes",
        "mangrove_process_open_files",
    ] {
        assert!(metrics.contains(name), "{name} is not in\n{metrics}");
    }
    assert!(metrics.ends_with("# EOF\n"));
    assert_eq!(node.get("/nowhere", Some(&token)).0, 404);
    assert!(!node.process.complaints().join("").contains(&token), "a token is never logged");
}

#[test]
fn each_signal_ends_an_idle_node_at_once_with_its_code() {
    for (signal, code) in [(Signal::INT, 130), (Signal::QUIT, 131), (Signal::TERM, 143)] {
        let place = Place::new();
        let node = Running::start(&place, &[]);
        // Somebody keeps a connection open, and has an answer already.
        let mut idle = node.connect();
        idle.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        assert!(idle.read(&mut [0; 16]).unwrap() > 0);
        node.signal(signal);
        let (ended, took) = node.end();
        assert_eq!(ended, Some(code));
        assert!(took < Duration::from_secs(1), "{took:?}");
        assert_eq!(runs(&node.home()), [""; 0]);
    }
}

#[test]
fn a_stuck_stage_is_forced_on_after_its_deadline_and_the_store_still_closes() {
    let place = Place::new();
    let hangs = r#"node.failpoints=["node.stop_hangs,sub:network=true"]"#;
    let node = Running::start(&place, &["--set", "node.drain_secs=5", "--set", hangs]);
    node.signal(Signal::TERM);
    let (code, took) = node.end();
    assert_eq!(code, Some(143));
    assert!((Duration::from_secs(1)..Duration::from_secs(8)).contains(&took), "{took:?}");
    let complaints = node.process.complaints();
    let late = complaints.iter().filter(|line| line.contains("did not stop in time"));
    let late = late.collect::<Vec<_>>();
    assert!(late.len() == 1 && late[0].contains("network"), "{complaints:?}");
    place.run(&["check", "--home", "X"]).succeeded();
}

#[test]
fn a_signal_ends_a_node_that_is_still_starting() {
    let place = Place::new();
    place.init();
    let node = begin(&place, &["--set", r#"node.failpoints=["node.start_hangs=true"]"#]);
    let pid = Pid::from_raw(i32::try_from(node.pid()).unwrap()).unwrap();
    let began = Instant::now();
    while !node.complaints().iter().any(|line| line.contains("held up")) {
        assert!(began.elapsed() < SOON, "{:?}", node.complaints());
        std::thread::park_timeout(Duration::from_millis(5));
    }
    kill_process(pid, Signal::TERM).unwrap();
    let began = Instant::now();
    assert_eq!(node.wait_for_end(SOON).unwrap(), Some(143));
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(node.seen(), [Value::Null; 0], "it never said that it was ready");
}

#[test]
fn a_second_signal_is_not_kept_waiting() {
    let place = Place::new().with("MANGROVE_FAILPOINTS", "node.stop_hangs,sub:api=true");
    let node = Running::start(&place, &["--set", "node.drain_secs=600"]);
    node.signal(Signal::INT);
    let began = Instant::now();
    while !node.logged("stopping") {
        assert!(began.elapsed() < SOON, "{:?}", node.process.complaints());
        std::thread::park_timeout(Duration::from_millis(5));
    }
    // Sooner, it would count as the same one.
    assert!(node.process.wait_for_end(Duration::from_millis(700)).is_err());
    node.signal(Signal::INT);
    let (code, took) = node.end();
    assert_eq!(code, Some(130));
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(node.logged("told again"));
}

/// As many places to listen at as news that the state-delta actor gets at start.
fn listening(places: usize) -> Vec<&'static str> {
    std::iter::repeat_n(["--listen", "/ip4/127.0.0.1/tcp/0"], places).flatten().collect()
}

#[test]
fn an_actor_that_panics_now_and_then_is_made_anew_and_the_node_serves_on() {
    let place = Place::new().with("MANGROVE_FAILPOINTS", "node.event_panics,sub:delta=true");
    let node = Running::start(&place, &listening(3));
    let restarts = |node: &Running<'_>| {
        let actors = node.diag(&["actors"]);
        let delta = actors["actors"].as_array().unwrap().iter().find(|it| it["actor"] == "delta");
        (delta.unwrap()["condition"].clone(), delta.unwrap()["restarts"].clone())
    };
    let began = Instant::now();
    while restarts(&node).1 != 3 {
        assert!(began.elapsed() < SOON, "{:?}", restarts(&node));
    }
    assert_eq!(restarts(&node).0, "running");
    assert_eq!(node.get("/ready", Some(&node.token())).0, 200);
    let metrics = node.get("/metrics", Some(&node.token())).1;
    assert!(metrics.contains(r#"mangrove_node_restarts_total{actor="delta"} 3"#), "{metrics}");
    assert!(node.logged("failpoint node.event_panics"), "a panic is logged with its place");
}

#[test]
fn an_actor_that_panics_too_often_ends_the_node_with_101() {
    let place = Place::new().with("MANGROVE_FAILPOINTS", "node.event_panics,sub:delta=true");
    let node = begin(&place, &listening(6));
    assert_eq!(node.wait_for_end(SOON).unwrap(), Some(101));
    let said = node.said().join("\n");
    let error = said.split_once("{\n").map(|(_, rest)| format!("{{{rest}")).unwrap();
    let error = error.parse::<Value>().unwrap();
    assert_eq!(error["error"]["kind"], "fatal");
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.contains("delta: it panicked 4 times in 60 s"), "{message}");
    assert_eq!(runs(&place.path("X")), [""; 0], "also then nothing is left behind");
}

#[test]
fn what_is_in_the_way_is_named_with_what_to_do() {
    let place = Place::new();
    let node = Running::start(&place, &[]);
    let address = node.api().strip_prefix("http://").unwrap();
    let taken = place.run(&["run", "--home", "Y", "--api", address]);
    let text = format!(
        "error: cannot serve the API\n  {address} is in use\n    hint: another node may run there; \
         choose another port: --api 127.0.0.1:0 takes any\n"
    );
    assert!(taken.stderr.ends_with(&text), "{}", taken.stderr);
    assert_eq!(taken.code, Some(1));
    let same = place.run(&["run", "--home", "X", "--api", "127.0.0.1:0"]);
    assert_eq!(same.code, Some(1));
    assert!(same.stderr.contains("stop the node that runs in this home first"), "{}", same.stderr);
    let peers = node.ready["addresses"][0].as_str().unwrap();
    let peers = peers.split("/p2p/").next().unwrap();
    let taken = place.run(&["run", "--home", "Y", "--api", "127.0.0.1:0", "--listen", peers]);
    assert_eq!(taken.code, Some(1));
    assert!(taken.stderr.contains(&format!("{peers} is in use")), "{}", taken.stderr);
    // Whoever failed has not taken away what belongs to the one that runs.
    assert_eq!(runs(&node.home()), ["diag.socket", "node.json"]);
    assert_eq!(node.get("/health", None).0, 200);
}

#[test]
fn an_encrypted_home_runs_with_its_passphrase_alone() {
    let place = Place::new();
    place.write("right", "correct horse\n");
    place.write("wrong", "battery staple\n");
    let init = ["init", "--home", "X", "--encrypt", "--passphrase-file", "right"];
    place.run(&init).succeeded();
    let wrong = begin(&place, &["--passphrase-file", "wrong"]);
    assert_eq!(wrong.wait_for_end(SOON).unwrap(), Some(5));
    let node = Running::start(&place, &["--passphrase-file", "right"]);
    assert_eq!(node.get("/health", None).0, 200);
}

#[test]
fn a_node_tells_what_waits_where_and_what_it_is_connected_to() {
    let place = Place::new();
    let node = Running::start(&place, &[]);
    let queues = node.diag(&["queues"]);
    let rows = queues["queues"].as_array().unwrap();
    let all = ["control", "api", "done", "delta", "sync", "serve", "gossip", "idle"];
    for queue in ["delta", "sync", "context-0"] {
        let lanes = rows.iter().filter(|row| row["queue"] == queue);
        let lanes = lanes.map(|row| row["lane"].as_str().unwrap()).collect::<Vec<_>>();
        assert_eq!(lanes, all, "{queue}");
    }
    let keys = ["queue", "lane", "depth", "capacity", "peak", "dropped", "oldestAgeMs"];
    assert!(keys.iter().all(|key| rows[0].get(key).is_some()), "{queues}");
    assert_eq!(node.diag(&["contexts"])["contexts"], Value::Array(Vec::new()));

    let other = Place::new();
    let bootstrap = node.ready["addresses"][0].as_str().unwrap();
    let peer = Running::start(&other, &["--bootstrap", bootstrap]);
    let began = Instant::now();
    let connection = loop {
        let net = node.diag(&["net"]);
        let found =
            net["peers"].as_array().unwrap().iter().find(|it| it["peer"] == peer.ready["peer"]);
        if let Some(connection) = found.and_then(|found| found["connections"].get(0)) {
            break connection.clone();
        }
        assert!(began.elapsed() < SOON, "{net}");
    };
    assert_eq!(
        (&connection["direction"], &connection["transport"]),
        (&"inbound".into(), &"tcp".into())
    );
    let text = place.run(&["diag", "net", "--home", "X"]).succeeded().stdout;
    assert!(text.contains(peer.ready["peer"].as_str().unwrap()), "{text}");
}

#[test]
fn what_is_logged_can_be_changed_while_the_node_runs() {
    let place = Place::new();
    let node = Running::start(&place, &["--set", "log.filter=error"]);
    assert_eq!(node.process.complaints(), [""; 0]);
    assert_eq!(node.diag(&["log", "debug"])["filter"], "debug");
    place.run(&["stop", "--home", "X"]).succeeded();
    assert_eq!(node.end().0, Some(0));
    assert!(node.logged("stage=\"store\""), "{:?}", node.process.complaints());
}

#[test]
fn a_question_that_makes_no_sense_is_answered_with_why() {
    let place = Place::new();
    let node = Running::start(&place, &[]);
    let check = |args: &[&str], expect: &str| {
        let run = place.run(&[&["diag"], args, &["--home", "X"]].concat());
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        assert!(run.stderr.contains(expect), "{}", run.stderr);
    };
    check(&["log", "loud"], "`loud` is not a level");
    check(&["failpoint", "a,sometimes=1"], "`sometimes` is none of sub:X, p:F, once");
    check(&["failpoint", "a,p:often=1"], "`often` is not a probability");
    assert_eq!(node.diag(&["failpoint", "a,once=7"])["failpoints"][0]["failpoint"], "a,once=7");
    assert_eq!(node.diag(&["failpoint", "a"])["failpoints"], Value::Array(Vec::new()));

    let socket = || {
        let stream = UnixStream::connect(node.home().join("run/diag.socket")).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream
    };
    let ask = |question: &[u8]| {
        let mut stream = socket();
        stream.write_all(question).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok();
        answer
    };
    assert!(ask(b"dance\n").starts_with("ERR "), "{}", ask(b"dance\n"));
    assert!(ask(b"queues now\n").contains("takes no `now`"));
    assert!(ask(b"\xff\xfe\n").contains("no UTF-8"));
    let endless = ask(&[b'a'; 4_096]);
    assert!(endless.contains("the line is too long"), "{endless}");
    let twice = ask(b"contexts\nhelp\n");
    assert!(twice.starts_with("OK 15\n{\"contexts\":[]}\nOK "), "{twice}");
    // Many who say nothing keep nobody from asking.
    let silent = (0..15).map(|_| socket()).collect::<Vec<_>>();
    assert!(ask(b"help\n").starts_with("OK "));
    drop(silent);
}

#[test]
fn a_socket_that_a_killed_node_left_is_replaced_and_a_deep_home_has_one_too() {
    let place = Place::new();
    let deep = "d".repeat(90);
    let home = format!("{deep}/{deep}");
    fs::create_dir_all(place.path(&deep)).unwrap();
    place.run(&["init", "--home", &home]).succeeded();
    let run = place.path(&home).join("run");
    fs::create_dir_all(&run).unwrap();
    let short = place.path("short");
    drop(UnixListener::bind(&short).unwrap());
    fs::rename(&short, run.join("diag.socket")).unwrap();
    fs::write(run.join("node.json"), r#"{"pid": 4194304, "api": "http://127.0.0.1:1"}"#).unwrap();

    let mut command = place.command();
    let listen = ["--listen", "/ip4/127.0.0.1/tcp/0", "--api", "127.0.0.1:0", "--no-mdns"];
    command.args(["run", "--home", &home, "--json"]).args(listen);
    let node = Process::start(command, "node").unwrap();
    node.wait_for("that it is ready", SOON, |it| it["event"] == "ready").unwrap();
    let actors = place.run(&["diag", "actors", "--home", &home, "--json"]);
    assert_eq!(actors.succeeded().json()["state"], "ready");
    assert!(fs::metadata(run.join("diag.socket")).unwrap().file_type().is_socket());
    place.run(&["stop", "--home", &home]).succeeded();
    assert_eq!(node.wait_for_end(SOON).unwrap(), Some(0));
}

#[test]
fn a_node_that_cannot_be_asked_is_not_said_to_be_stopped() {
    let place = Place::new();
    let node = Running::start(&place, &["--set", "node.diagnostics=false"]);
    let run = place.run(&["stop", "--home", "X"]);
    assert_eq!(run.code, Some(3));
    assert!(run.stderr.contains(&format!("kill -TERM {}", node.process.pid())), "{}", run.stderr);
}

#[test]
fn flags_say_otherwise_than_the_settings_and_are_checked_like_them() {
    let place = Place::new();
    let check = |args: &[&str], expect: &str| {
        let run = place.run(&[&["run", "--home", "X"], args].concat());
        assert_eq!(run.code, Some(1), "{}", run.stderr);
        assert!(run.stderr.contains(expect), "{}", run.stderr);
        assert!(!place.path("X").exists(), "nothing is made before all is in order");
    };
    check(&["--api", "nowhere"], "server.listen");
    check(&["--api", "0.0.0.0:0"], "can be reached by other machines, without TLS");
    check(&["--listen", "here"], "network.listen");
    check(&["--durability", "maybe"], "store.durability");
    check(&["--mode", "reader"], "node.mode: expected `full` or `replica`, found `reader`");
    check(&["--bootstrap", "/ip4/127.0.0.1/tcp/1"], "does not say which peer");
}

#[test]
fn an_idle_node_takes_next_to_nothing() {
    let place = Place::new();
    let node = Running::start(&place, &[]);
    let (before, began) = (node.process.cpu_time().unwrap(), Instant::now());
    std::thread::park_timeout(Duration::from_secs(5));
    let (used, passed) = (node.process.cpu_time().unwrap() - before, began.elapsed());
    assert!(used * 100 <= passed, "{used:?} of {passed:?}");
    // What is resident of the program's own file depends on how it was built; the rest does not.
    let own = node.process.own_bytes().unwrap();
    assert!(own <= 15_000_000, "{own} bytes");
}
