//! What a shell completes that only a node knows: the names of contexts.

use std::env;
use std::ffi::OsStr;

use camino::Utf8PathBuf;
use clap::Command;
use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use mangrove_config::Environment;
use serde_json::{Value, json};

use crate::args::{Color, Global, command};
use crate::client::Client;
use crate::field;
use crate::session::Session;

/// By this variable a shell says that it asks what may come next.
pub(crate) const VARIABLE: &str = "MANGROVE_COMPLETE";
/// A node that takes longer to say what its contexts are called is not waited for.
const PATIENCE_SECS: u32 = 1;

/// Answers a shell that asks what may come next, and ends the program then. Anybody else is not answered.
pub(crate) fn answer() {
    CompleteEnv::with_factory(|| with_contexts(command())).var(VARIABLE).complete();
}

/// A grammar in which contexts are completed, wherever one is named.
fn with_contexts(grammar: Command) -> Command {
    let complete = |typed: &OsStr| {
        // Whoever types wants no error: there is nothing to offer.
        let typed = typed.to_str().unwrap_or_default();
        found(typed).unwrap_or_default()
    };
    let grammar = grammar.mut_args(|arg| match arg.get_id() == "context" {
        true => arg.add(ArgValueCompleter::new(complete)),
        false => arg,
    });
    grammar.mut_subcommands(with_contexts)
}

/// The contexts of the node that is meant whose names or ids begin so.
fn found(typed: &str) -> Option<Vec<CompletionCandidate>> {
    let session = Session::new(global(&words()), Environment::of_process()).ok()?;
    let listed = Client::open(&session).ok()?.call("context.list", &json!({})).ok()?;
    let offers = listed.as_array()?.iter().filter_map(|context| offer(context, typed));
    let mut offers = offers.collect::<Vec<_>>();
    offers.sort_by(|one, other| one.get_value().cmp(other.get_value()));
    Some(offers)
}

/// By what a context goes on a command line: its name, or its id if a shell would take the name for something else.
fn offer(context: &Value, typed: &str) -> Option<CompletionCandidate> {
    let (name, id) = (field::text(context, "name"), field::text(context, "context"));
    let is_bare = |name: &str| {
        let is_plain = |letter: char| letter.is_alphanumeric() || "-_./@+".contains(letter);
        !name.is_empty() && !name.starts_with('-') && name.chars().all(is_plain)
    };
    let word = [name, id].into_iter().find(|word| is_bare(word) && word.starts_with(typed))?;
    let what = if word == name { field::text(context, "state") } else { name };
    Some(CompletionCandidate::new(word).help(Some(what.to_owned().into())))
}

/// What was typed so far. A shell puts it behind `--`.
fn words() -> Vec<String> {
    let words = env::args_os().skip_while(|word| word != "--").skip(1);
    words.filter_map(|word| word.into_string().ok()).collect()
}

/// The flags that say which node is meant.
fn global(words: &[String]) -> Global {
    let value = |flag: &str| {
        let mut rest = words.iter();
        let found = rest.find(|word| word.starts_with(flag))?;
        match found.strip_prefix(flag)?.strip_prefix('=') {
            Some(value) => Some(value.to_owned()),
            None => rest.next().cloned(),
        }
    };
    Global {
        home: value("--home").map(Utf8PathBuf::from),
        json: false,
        quiet: true,
        verbose: 0,
        color: Color::Never,
        timeout: Some(PATIENCE_SECS),
        api: value("--api"),
        token_file: value("--token-file").map(Utf8PathBuf::from),
        passphrase_file: None,
        settings: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_node_is_meant_is_read_from_what_was_typed_so_far() {
        let typed = |line: &str| global(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(typed("mangrove get --home a b").home, Some("a".into()));
        let named = typed("mangrove --api=http://x:1 --token-file t get");
        assert_eq!(named.api.as_deref(), Some("http://x:1"));
        assert_eq!(named.token_file, Some("t".into()));
        assert_eq!(typed("mangrove get --home").home, None);
    }

    #[test]
    fn what_a_shell_would_misread_goes_by_its_id() {
        let offered = |name: &str, typed: &str| {
            let context = json!({ "name": name, "context": "abc", "state": "ready" });
            offer(&context, typed).map(|it| it.get_value().to_string_lossy().into_owned())
        };
        assert_eq!(offered("garden", "ga").as_deref(), Some("garden"));
        assert_eq!(offered("garden", "").as_deref(), Some("garden"));
        assert_eq!(offered("garden", "ab").as_deref(), Some("abc"));
        assert_eq!(offered("my garden", "").as_deref(), Some("abc"));
        assert_eq!(offered("$HOME", "").as_deref(), Some("abc"));
        assert_eq!(offered("-x", "").as_deref(), Some("abc"));
        assert_eq!(offered("garden", "x"), None);
    }
}
