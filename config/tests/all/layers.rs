//! What the layers of a configuration add up to, and what is said when one of them is wrong.

use camino::{Utf8Path, Utf8PathBuf};
use mangrove_config::file::Source;
use mangrove_config::section::Raw;
use mangrove_config::{Environment, Override, Resolved, Settings, Sources, document};

const PATH: &str = "config.toml";

fn sources(file: &str, environment: &[(&str, &str)], command_line: &[(&str, &str)]) -> Sources {
    let given = |(key, value): &(&str, &str)| Override {
        flag: format!("--set {key}={value}"),
        key: (*key).to_owned(),
        value: (*value).to_owned(),
    };
    Sources {
        file: Some(Source { path: PATH.into(), text: file.to_owned() }),
        environment: environment.iter().copied().collect(),
        overrides: command_line.iter().map(given).collect(),
    }
}

fn place(resolved: &Resolved, key: &str) -> String {
    resolved.place(key).to_string()
}

/// What is wrong with a file, one problem a line, each hint behind its problem.
fn complaints(sources: &Sources) -> Vec<String> {
    let problems = sources.resolve().unwrap_err().problems;
    let line = |problem: &mangrove_config::Problem| match &problem.hint {
        Some(hint) => format!("{problem} ({hint})"),
        None => problem.to_string(),
    };
    problems.iter().map(line).collect()
}

fn check(file: &str, expect: &[&str]) {
    assert_eq!(complaints(&sources(file, &[], &[])), expect, "{file}");
}

#[test]
fn a_later_layer_wins_and_each_value_knows_its_place() {
    let file = "[log]\nfilter = \"warn\"\nformat = \"json\"\n[server]\nlisten = \"127.0.0.1:1\"\n";
    let environment =
        [("MANGROVE_LOG__FILTER", "error"), ("MANGROVE_SERVER__LISTEN", "127.0.0.1:2")];
    let command_line = [("server.listen", "127.0.0.1:3"), ("server.listen", "127.0.0.1:4")];
    let resolved = sources(file, &environment, &command_line).resolve().unwrap();

    assert_eq!(resolved.settings.server.listen.to_string(), "127.0.0.1:4");
    assert_eq!(place(&resolved, "server.listen"), "command line: --set server.listen=127.0.0.1:4");
    assert_eq!(resolved.settings.log.filter.as_str(), "error");
    assert_eq!(place(&resolved, "log.filter"), "environment variable MANGROVE_LOG__FILTER");
    assert_eq!(resolved.settings.log.format.to_string(), "json");
    assert_eq!(place(&resolved, "log.format"), "config.toml:3:1");
    assert_eq!(resolved.settings.network, Settings::default().network);
    assert_eq!(place(&resolved, "network.listen"), "default");
}

#[test]
fn dotted_keys_and_inline_tables_are_toml_too() {
    let dotted = sources("server.listen = \"127.0.0.1:1\"\n", &[], &[]).resolve().unwrap();
    let inline = sources("server = { listen = \"127.0.0.1:1\" }\n", &[], &[]).resolve().unwrap();
    assert_eq!(dotted.settings, inline.settings);
    assert_eq!(place(&dotted, "server.listen"), "config.toml:1:8");
    assert_eq!(place(&inline, "server.listen"), "config.toml:1:12");
}

#[test]
fn an_unknown_key_is_refused_and_the_nearest_known_one_named() {
    check(
        "[server]\n\nlissten = \"127.0.0.1:1\"\n",
        &["config.toml:3:1: server.lissten: unknown key (did you mean `server.listen`?)"],
    );
    check(
        "[log]\nbootstrap = []\n",
        &["config.toml:2:1: log.bootstrap: unknown key (did you mean `network.bootstrap`?)"],
    );
    check(
        "[log]\ncolour = 1\n",
        &["config.toml:2:1: log.colour: unknown key (keys of [log] are filter, format)"],
    );
    check(
        "[sever]\nlisten = \"127.0.0.1:1\"\n",
        &["config.toml:2:1: [sever]: unknown section (did you mean [server]?)"],
    );
    check(
        "listen = \"127.0.0.1:1\"\n",
        &["config.toml:1:1: listen: unknown key (did you mean `listen` in the section [server]?)"],
    );
    check(
        "server = 5\n",
        &["config.toml:1:1: server: expected a section (write [server] on a line of its own)"],
    );
}

#[test]
fn a_value_of_the_wrong_type_says_what_was_expected() {
    check(
        "[server]\nlisten = 2770\n",
        &["config.toml:2:1: server.listen: expected an IP address and a port, found an integer"],
    );
    check(
        "[server]\nallow_plaintext = \"yes\"\n",
        &["config.toml:2:1: server.allow_plaintext: expected true or false, found a string"],
    );
    check(
        "[network]\nlisten = \"/ip4/0.0.0.0/tcp/1\"\n",
        &["config.toml:2:1: network.listen: expected a list, found a string \
           (put it in brackets: [\"/ip4/0.0.0.0/tcp/1\"])"],
    );
    check(
        "[network]\nlisten = [\"/ip4/0.0.0.0/tcp/1\", 5]\n",
        &["config.toml:2:1: network.listen: item 2: expected a multiaddress, found an integer"],
    );
    check(
        "[server.listen]\nport = 1\n",
        &["config.toml:1:9: server.listen: expected a value, found table"],
    );
}

#[test]
fn a_port_out_of_range_is_found_in_every_kind_of_address() {
    check(
        "[server]\nlisten = \"127.0.0.1:99999\"\n",
        &["config.toml:2:1: server.listen: port 99999 is out of range (ports go from 0 to 65535)"],
    );
    check(
        "[network]\nlisten = [\"/ip4/0.0.0.0/tcp/65536\"]\n",
        &[
            "config.toml:2:1: network.listen: item 1: port 65536 is out of range (ports go from 0 to 65535)",
        ],
    );
}

#[test]
fn text_that_is_not_toml_says_where() {
    let found = complaints(&sources("[server]\nlisten = 127.0.0.1:2770\n", &[], &[]));
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("config.toml:2:"), "{found:?}");
    let found = complaints(&sources("[log]\nfilter = \"a\"\nfilter = \"b\"\n", &[], &[]));
    assert!(found[0].starts_with("config.toml:3:1: duplicate key"), "{found:?}");
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let environment = [("MANGROVE_LOG__FILTRE", "info"), ("MANGROVE_LOG__FORMAT", "xml")];
    let sources = sources("[log]\nx = 1\n[server]\nlisten = 1\n", &environment, &[("a", "b")]);
    assert_eq!(
        complaints(&sources),
        [
            "config.toml:2:1: log.x: unknown key (keys of [log] are filter, format)",
            "config.toml:4:1: server.listen: expected an IP address and a port, found an integer",
            "environment variable MANGROVE_LOG__FILTRE: log.filtre: unknown key \
             (did you mean `log.filter`?)",
            "environment variable MANGROVE_LOG__FORMAT: log.format: expected `text` or `json`, \
             found `xml`",
            "command line: --set a=b: [a]: unknown section \
             (sections are identity, log, server, network, store, feed, node, replica)",
        ]
    );
}

#[test]
fn a_rule_between_settings_is_reported_where_the_value_was_given() {
    check(
        "[server]\nlisten = \"0.0.0.0:2770\"\n",
        &[
            "config.toml:2:1: server.listen: 0.0.0.0:2770 can be reached by other machines, without TLS \
           (listen on 127.0.0.1, name a certificate in server.tls, or set server.allow_plaintext = true if the network between them is \
           yours)",
        ],
    );
}

#[test]
fn lists_in_the_environment_stand_between_commas_or_in_brackets() {
    let check = |text: &str, count: usize| {
        let sources = sources("", &[("MANGROVE_NETWORK__LISTEN", text)], &[]);
        assert_eq!(sources.resolve().unwrap().settings.network.listen.len(), count, "{text}");
    };
    check("/ip4/127.0.0.1/tcp/1, /ip4/127.0.0.1/tcp/2", 2);
    check("[\"/ip4/127.0.0.1/tcp/1\"]", 1);
    check("", 0);
}

#[test]
fn other_variables_of_the_name_are_left_alone() {
    let environment = [("MANGROVE_HOME", "/x"), ("MANGROVE_PASSPHRASE_FILE", "/y"), ("X__Y", "z")];
    assert!(sources("", &environment, &[]).resolve().is_ok());
}

#[test]
fn every_setting_reads_back_what_it_prints() {
    let defaults = Settings::default();
    let mut read = Settings::default();
    for section in defaults.sections() {
        for key in section.keys() {
            let value = section.get(key.name).unwrap();
            let target = read.section_mut(section.name()).unwrap();
            assert_eq!(target.set(key.name, Raw::Toml(&value)), Some(Ok(())), "{}", key.name);
        }
    }
    assert_eq!(read, defaults);
}

#[test]
fn setting_one_key_leaves_everything_else_as_it_was() {
    let text = "# mine\n[server] # here\nlisten = \"127.0.0.1:1\" # why\n\n[log]\n";
    let source = Source { path: PATH.into(), text: text.to_owned() };
    let changed = source.with("server", "listen", "127.0.0.1:2".into()).unwrap();
    assert_eq!(changed.text, text.replace("127.0.0.1:1", "127.0.0.1:2"));
    let added = changed.with("log", "filter", "warn".into()).unwrap();
    assert_eq!(added.text, format!("{}filter = \"warn\"\n", changed.text));
    let section = added.with("identity", "name", "ada".into()).unwrap();
    assert!(section.text.ends_with("[identity]\nname = \"ada\"\n"), "{}", section.text);
}

#[test]
fn a_file_that_is_not_utf8_says_which_byte() {
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::try_from(folder.path().join("config.toml")).unwrap();
    std::fs::write(&path, b"[log]\nfilter = \"\xff\"\n").unwrap();
    let problem = Source::read(&path).unwrap_err().problems.remove(0);
    assert_eq!(problem.to_string(), format!("{path}:2:11: byte 0xff is not UTF-8"));
    assert!(problem.hint.is_some());
}

#[test]
fn a_file_that_cannot_be_read_says_why_and_a_missing_one_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let folder = Utf8Path::from_path(folder.path()).unwrap();
    assert_eq!(Source::read(&folder.join("none.toml")), Ok(None));
    let problem = Source::read(folder).unwrap_err().problems.remove(0);
    assert!(problem.to_string().starts_with(&format!("{folder}: cannot be read: ")), "{problem}");
    assert_eq!(problem.hint.as_deref(), Some("a folder lies where the file should be"));
    let endless = Source::read(Utf8Path::new("/dev/zero")).unwrap_err();
    assert_eq!(endless.to_string(), "/dev/zero: cannot be read: not a regular file");
    let large = folder.join("large.toml");
    std::fs::write(&large, vec![b'#'; 1024 * 1024 + 1]).unwrap();
    let large = Source::read(&large).unwrap_err().problems.remove(0);
    assert_eq!(large.hint.as_deref(), Some("a configuration has at most 1048576 bytes"));
}

#[test]
fn a_replaced_file_keeps_its_mode_and_leaves_no_draft() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::try_from(folder.path().join("config.toml")).unwrap();
    std::fs::write(&path, "[log]\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let source = Source::read(&path).unwrap().unwrap();
    source.with("log", "filter", "warn".into()).unwrap().replace().unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "[log]\nfilter = \"warn\"\n");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn the_file_of_a_new_home_says_only_what_differs_from_the_defaults() {
    let mut settings = Settings::default();
    let identity = settings.section_mut("identity").unwrap();
    identity.set("name", Raw::Text("ada's \"laptop\"")).unwrap().unwrap();
    let text = document::of_new_home(&settings);
    let resolved = sources(&text, &[], &[]).resolve().unwrap();
    assert_eq!(resolved.settings, settings);
    assert_eq!(place(&resolved, "log.filter"), "default");
    assert!(place(&resolved, "identity.name").starts_with("config.toml:"));
}

#[test]
fn a_variable_that_is_not_utf8_is_refused() {
    use std::os::unix::ffi::OsStringExt;

    let value = std::ffi::OsString::from_vec(vec![0xff]);
    let environment: Environment = [("MANGROVE_LOG__FILTER", value)].into_iter().collect();
    let sources = Sources { environment, ..Sources::default() };
    let expect = ["environment variable MANGROVE_LOG__FILTER: its value is not UTF-8"];
    assert_eq!(complaints(&sources), expect);
}
