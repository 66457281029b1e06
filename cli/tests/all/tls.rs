//! An API that is served with TLS: who believes it, and what happens when the certificate changes.

use std::fs;

use camino::Utf8Path;

use crate::run::{Place, Run};
use crate::running::{Running, eventually};

/// Writes a certificate for this machine, with its key, beside each other.
fn issue(place: &Place, chain: &str, key: &str) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]);
    let made = made.unwrap();
    // The key first: a certificate that does not fit its key is not taken.
    fs::write(place.path(key), made.key_pair.serialize_pem()).unwrap();
    fs::write(place.path(chain), made.cert.pem()).unwrap();
}

fn set(place: &Place, key: &str, path: &Utf8Path) {
    place.run(&["config", "set", key, path.as_str(), "--home", "X"]).succeeded();
}

#[test]
fn the_api_is_served_with_a_certificate_that_can_be_renewed() {
    let place = Place::new();
    place.init();
    issue(&place, "chain.pem", "key.pem");
    fs::copy(place.path("chain.pem"), place.path("old.pem")).unwrap();
    set(&place, "server.tls_key", &place.path("key.pem"));
    set(&place, "server.tls", &place.path("chain.pem"));
    let node = Running::start(&place, &[]);
    assert!(node.api().starts_with("https://127.0.0.1:"), "{}", node.api());
    // The commands of this home believe what its settings name; others are told whom to believe.
    node.text(&["status"]);
    let token = node.home().join("api.token");
    let elsewhere = ["status", "--api", node.api(), "--token-file", token.as_str()];
    let believing = |chain: &str| {
        let mut command = place.command();
        command.args(elsewhere).env("SSL_CERT_FILE", place.path(chain));
        Run::from(command.output().unwrap())
    };
    assert_eq!(believing("old.pem").code, Some(0));
    issue(&place, "other.pem", "other-key.pem");
    assert_eq!(believing("other.pem").code, Some(3), "somebody else could be there");

    issue(&place, "chain.pem", "key.pem");
    eventually("the new one is served", || believing("chain.pem").code == Some(0));
    assert_eq!(believing("old.pem").code, Some(3));
    node.text(&["status"]);
    // One that cannot be used is not.
    fs::write(place.path("chain.pem"), "no certificate").unwrap();
    eventually("it is said", || node.logged("the certificate stays as it was"));
    assert!(node.logged("chain.pem"));
}

#[test]
fn a_certificate_that_cannot_be_used_is_said_before_anything_is_served() {
    let place = Place::new();
    place.init();
    issue(&place, "chain.pem", "key.pem");
    fs::write(place.path("key.pem"), "no key").unwrap();
    set(&place, "server.tls_key", &place.path("key.pem"));
    set(&place, "server.tls", &place.path("chain.pem"));
    let run = place.run(&["run", "--home", "X", "--api", "127.0.0.1:0"]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("key.pem cannot be used for TLS"), "{}", run.stderr);
}
