//! Tokens: what is kept of them, and how they end.

use camino::Utf8PathBuf;
use mangrove_protocol::id::ContextId;

use super::book::Terms;
use super::{Access, Secret, Tokens, TokensError};

const ADMIN: &str = "mgt_admin\n";

fn place() -> (tempfile::TempDir, Utf8PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(folder.path().join("tokens.json")).unwrap();
    (folder, path)
}

fn secret(text: &str) -> Secret {
    Secret::read(text).unwrap()
}

fn terms(access: Access) -> Terms {
    Terms { access, only: None, expires_at_ms: None }
}

#[test]
fn who_comes_with_a_token_may_what_it_allows() {
    let (_folder, path) = place();
    let tokens = Tokens::open(&path, ADMIN).unwrap();
    let admin = tokens.admit(&secret("mgt_admin"), 1).unwrap();
    assert_eq!((&*admin.token, admin.access, admin.only), ("admin", Access::Admin, None));
    let context = ContextId::from_bytes([7; 32]);
    let fresh = tokens
        .create(Terms { access: Access::Write, only: Some(context), expires_at_ms: Some(10) })
        .unwrap();
    let caller = tokens.admit(&fresh.secret, 9).unwrap();
    assert_eq!(
        (caller.access, caller.only, &caller.token),
        (Access::Write, Some(context), &fresh.id)
    );
    assert!(tokens.admit(&fresh.secret, 10).is_none(), "it has run out");
    assert!(tokens.admit(&secret("mgt_other"), 1).is_none());
    assert_eq!(tokens.list()[0].last_used_at_ms, Some(9));
}

#[test]
fn tokens_are_there_after_a_restart_and_their_secrets_nowhere() {
    let (_folder, path) = place();
    let tokens = Tokens::open(&path, ADMIN).unwrap();
    let kept = tokens.create(terms(Access::Read)).unwrap();
    let gone = tokens.create(terms(Access::Admin)).unwrap();
    assert!(tokens.revoke(&gone.id).unwrap() && !tokens.revoke(&gone.id).unwrap());
    assert!(!tokens.revoke("admin").unwrap(), "that one stands in a file of its own");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains(kept.secret.reveal()) && text.contains(&*kept.id));
    let again = Tokens::open(&path, ADMIN).unwrap();
    assert!(again.admit(&kept.secret, 1).is_some() && again.admit(&gone.secret, 1).is_none());
    assert_eq!(again.list().len(), 1);
}

#[tokio::test]
async fn whoever_came_with_a_token_is_told_when_it_is_revoked() {
    let (_folder, path) = place();
    let tokens = Tokens::open(&path, ADMIN).unwrap();
    let fresh = tokens.create(terms(Access::Read)).unwrap();
    let caller = tokens.admit(&fresh.secret, 1).unwrap();
    assert!(caller.holds(1));
    tokens.revoke(&fresh.id).unwrap();
    assert!(!caller.holds(1));
    assert!(tokens.admit(&fresh.secret, 1).is_none());
}

#[test]
fn a_file_that_is_none_is_refused_and_a_disk_that_does_not_take_it_changes_nothing() {
    let (folder, path) = place();
    std::fs::write(&path, "{").unwrap();
    assert!(matches!(Tokens::open(&path, ADMIN), Err(TokensError::Garbled { .. })));
    let nowhere = Utf8PathBuf::from_path_buf(folder.path().join("no/such/tokens.json")).unwrap();
    let tokens = Tokens::open(&nowhere, ADMIN).unwrap();
    assert!(matches!(tokens.create(terms(Access::Read)), Err(TokensError::Disk { .. })));
    assert_eq!(tokens.list(), []);
}
