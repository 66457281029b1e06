//! `mangrove init`: a home appears whole or not at all, and an existing one is never touched.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use camino::Utf8Path;
use mangrove_cli::STEPS;

use crate::run::{Place, contents};

const SIGABRT: i32 = 6;

fn mode(path: &Utf8Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn names(folder: &Utf8Path) -> Vec<String> {
    contents(folder)
        .iter()
        .map(|(path, _)| path.strip_prefix(folder).unwrap().to_string())
        .collect()
}

/// The home holds what a home holds, for its owner alone, and the program accepts it.
#[track_caller]
fn check_whole(place: &Place, home: &Utf8Path, encrypted: bool) {
    let mut expect = vec!["api.token", "config.toml", "home.toml", "node.key"];
    if encrypted {
        expect.insert(2, "data.key");
    }
    assert_eq!(names(home), expect);
    assert_eq!(mode(home), 0o700);
    for name in expect {
        assert_eq!(mode(&home.join(name)), 0o600, "{name}");
        assert!(!fs::read(home.join(name)).unwrap().is_empty(), "{name}");
    }
    place.run(&["config", "check", "--home", home.as_str()]).succeeded();
}

#[test]
fn a_new_home_is_whole_and_its_owners_alone() {
    let place = Place::new();
    let run = place.run(&["init", "--home", "X", "--name", "ada", "--json"]).succeeded();
    check_whole(&place, &place.path("X"), false);
    let made = run.json();
    assert_eq!(made["home"], place.path("X").as_str());
    assert_eq!(made["name"], "ada");
    assert_eq!(made["encrypted"], false);
    let key = fs::read_to_string(place.path("X/node.key")).unwrap();
    assert!(key.contains(&format!("peer = {}", made["peer"])), "{made}");
    let token = fs::read_to_string(place.path("X/api.token")).unwrap();
    assert!(token.starts_with("mgt_") && token.trim_end().len() == 56, "{}", token.len());
    let show = place.run(&["config", "show", "--home", "X", "--json"]).succeeded().json();
    assert_eq!(show["settings"]["identity.name"]["value"], "ada");
}

#[test]
fn a_strict_umask_and_a_loose_one_give_the_same_home() {
    for umask in ["0000", "0777"] {
        let place = Place::new();
        let script =
            format!("umask {umask}; exec {} init --home X", env!("CARGO_BIN_EXE_mangrove"));
        let mut shell = std::process::Command::new("sh");
        let status = shell.args(["-c", &script]).current_dir(place.path("")).status();
        assert!(status.unwrap().success());
        assert_eq!(mode(&place.path("X")), 0o700, "umask {umask}");
        assert_eq!(mode(&place.path("X/node.key")), 0o600, "umask {umask}");
    }
}

#[test]
fn two_homes_are_two_nodes_with_two_tokens() {
    let place = Place::new();
    for name in ["X", "Y"] {
        place.run(&["init", "--home", name]).succeeded();
    }
    for file in ["node.key", "api.token"] {
        let read = |home: &str| fs::read(place.path(home).join(file)).unwrap();
        assert_ne!(read("X"), read("Y"), "{file}");
    }
}

#[test]
fn an_existing_home_is_refused_and_no_byte_of_it_changes() {
    let place = Place::new();
    let home = place.init();
    let before = contents(&place.path(""));
    let run = place.run(&["init", "--home", "X", "--name", "other"]);
    run.failed(
        1,
        &format!(
            "error: cannot make a home at {home}\n  it is a home already\n    \
             hint: name another folder: --home DIR\n"
        ),
    );
    assert_eq!(contents(&place.path("")), before);
}

#[test]
fn whatever_lies_there_is_refused_and_only_an_empty_folder_is_nothing() {
    let place = Place::new();
    let home = place.path("X");
    fs::create_dir(&home).unwrap();
    place.write("X/photo.jpg", "precious");
    let run = place.run(&["init", "--home", "X"]);
    run.failed(
        1,
        &format!(
            "error: cannot make a home at {home}\n  the folder is not empty\n    \
             hint: name another folder, or one inside it: --home DIR\n"
        ),
    );
    assert_eq!(names(&home), ["photo.jpg"]);
    place.write("F", "a file");
    let run = place.run(&["init", "--home", "F", "--json"]);
    assert_eq!((run.code, run.error_kind().as_str()), (Some(1), "conflict"));
    fs::remove_file(home.join("photo.jpg")).unwrap();
    place.run(&["init", "--home", "X"]).succeeded();
    check_whole(&place, &home, false);
    fs::create_dir(place.path("target")).unwrap();
    std::os::unix::fs::symlink("target", place.path("link")).unwrap();
    place.run(&["init", "--home", "link"]).succeeded();
    check_whole(&place, &place.path("target"), false);
}

/// Kills `init` at this step, then looks what is there.
fn kill_at(step: &str, encrypt: bool) {
    let place = Place::new().with("MANGROVE_FAILPOINTS", &format!("{step}=abort"));
    let passphrase = place.write("passphrase", "open sesame\n");
    let mut args = vec!["init", "--home", "X", "--passphrase-file", passphrase.as_str()];
    args.extend(encrypt.then_some("--encrypt"));
    let run = place.run(&args);
    assert_eq!(run.signal, Some(SIGABRT), "{step} was never reached: {}", run.stderr);
    let home = place.path("X");
    let after = Place::new();
    match home.exists() {
        true => check_whole(&after, &home, encrypt),
        false => {
            after.run(&["init", "--home", home.as_str()]).succeeded();
            check_whole(&after, &home, false);
        }
    }
    // Nothing of the dead draft is left once a next home was made beside it.
    after.run(&["init", "--home", place.path("Y").as_str()]).succeeded();
    let drafts = names(&place.path("")).into_iter().filter(|name| name.starts_with(".X.draft"));
    let litter = drafts.count();
    assert_eq!(litter, 0, "{step}");
}

#[test]
fn killed_at_any_step_there_is_no_home_or_a_whole_one() {
    for step in STEPS {
        if step != "init.data_key_written" {
            kill_at(step, false);
        }
        kill_at(step, true);
    }
}

#[test]
fn an_error_at_any_step_before_the_rename_leaves_nothing_behind() {
    for step in STEPS.iter().filter(|step| **step != "init.renamed") {
        let place = Place::new().with("MANGROVE_FAILPOINTS", &format!("{step}=error"));
        place.write("passphrase", "open sesame");
        let run =
            place.run(&["init", "--home", "X", "--encrypt", "--passphrase-file", "passphrase"]);
        let home = place.path("X");
        run.failed(1, &format!("error: cannot make a home at {home}\n  failpoint {step}\n"));
        assert_eq!(names(&place.path("")), ["passphrase"], "{step}");
    }
}

#[test]
fn many_at_once_make_one_home() {
    let place = Place::new();
    let start = |_| place.command().args(["init", "--home", "X"]).spawn().unwrap();
    let children: Vec<_> = (0..8).map(start).collect();
    let codes = children.into_iter().map(|mut child| child.wait().unwrap().code());
    let made = codes.filter(|code| *code == Some(0)).count();
    assert_eq!(made, 1);
    check_whole(&place, &place.path("X"), false);
    assert_eq!(place.path("").read_dir_utf8().unwrap().count(), 1, "drafts are left");
}

#[test]
fn an_encrypted_home_holds_a_wrapped_data_key_and_no_readable_secret() {
    let place = Place::new();
    place.write("passphrase", "open sesame\r\n");
    let args = ["init", "--home", "X", "--encrypt", "--passphrase-file", "passphrase", "--json"];
    let run = place.run(&args).succeeded();
    assert_eq!(run.json()["encrypted"], true);
    check_whole(&place, &place.path("X"), true);
    let key = fs::read_to_string(place.path("X/node.key")).unwrap();
    assert!(key.contains("\nsealed = ") && !key.contains("\nsecret = "), "{key}");
    let wrapped = fs::read(place.path("X/data.key")).unwrap();
    let open = |passphrase: &[u8]| mangrove_store::seal::DataKey::unwrap(&wrapped, passphrase);
    assert!(open(b"open sesame").is_ok(), "the line end does not count");
    assert!(open(b"open sesame\r\n").is_err());
}

#[test]
fn a_passphrase_comes_from_the_flag_the_environment_or_systemd_in_that_order() {
    let opens = |place: &Place, args: &[&str], passphrase: &[u8]| {
        place.run(&[&["init", "--home", "X", "--encrypt"], args].concat()).succeeded();
        let wrapped = fs::read(place.path("X/data.key")).unwrap();
        mangrove_store::seal::DataKey::unwrap(&wrapped, passphrase).unwrap();
        fs::remove_dir_all(place.path("X")).unwrap();
    };
    let place = Place::new();
    let folder = place.path("credentials");
    fs::create_dir(&folder).unwrap();
    place.write("credentials/mangrove-passphrase", "from systemd");
    place.write("variable", "from the variable");
    place.write("flag", "from the flag");
    let place = place.with("CREDENTIALS_DIRECTORY", folder.as_str());
    opens(&place, &[], b"from systemd");
    let place = place.with("MANGROVE_PASSPHRASE_FILE", "variable");
    opens(&place, &[], b"from the variable");
    opens(&place, &["--passphrase-file", "flag"], b"from the flag");
}

#[test]
fn an_encrypted_home_without_a_passphrase_is_not_made() {
    let place = Place::new();
    place.run(&["init", "--home", "X", "--encrypt"]).failed(
        2,
        "error: an encrypted home needs a passphrase\n  standard input is no terminal, so it \
         cannot be asked for\n    hint: name a file that holds it: --passphrase-file F, or \
         MANGROVE_PASSPHRASE_FILE\n",
    );
    place.write("empty", "\n");
    let run = place.run(&["init", "--home", "X", "--encrypt", "--passphrase-file", "empty"]);
    assert_eq!(run.code, Some(2));
    let run = place.run(&["init", "--home", "X", "--encrypt", "--passphrase-file", "nowhere"]);
    assert_eq!(run.code, Some(4));
    let zeros = place.run(&["init", "--home", "X", "--encrypt", "--passphrase-file", "/dev/zero"]);
    assert_eq!(zeros.code, Some(2));
    assert!(!place.path("X").exists());
}

#[test]
fn a_name_that_does_not_fit_makes_no_home() {
    let place = Place::new();
    let run = place.run(&["init", "--home", "X", "--name", &"x".repeat(129)]);
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.contains("a name has at most 128 bytes, this one has 129"),
        "{}",
        run.stderr
    );
    assert!(!place.path("X").exists());
    let limit = mangrove_protocol::limits::NAME_BYTES;
    assert_eq!(u64::try_from(mangrove_config::identity::NAME_BYTES), Ok(limit));
}

#[test]
fn the_home_is_found_without_a_flag() {
    let place = Place::new().with("XDG_DATA_HOME", "/nonexistent");
    let place = place.with("MANGROVE_HOME", "from-variable");
    place.run(&["init"]).succeeded();
    assert!(place.path("from-variable/home.toml").exists());
    let place = Place::new();
    place.run(&["init"]).succeeded();
    assert!(place.path("user/.local/share/mangrove/home.toml").exists());
}
