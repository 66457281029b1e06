//! What a shell completes that only a node knows: the names of contexts.

use std::any::TypeId;
use std::env;
use std::ffi::OsStr;

use camino::Utf8PathBuf;
use clap::Command;
use clap::builder::ValueHint;
use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use mangrove_config::Environment;
use serde_json::Value;

use crate::args::{Color, Global, command};
use crate::field;
use crate::human::printable;
use crate::running::diagnose;
use crate::session::Session;

/// By this variable a shell says that it asks what may come next.
pub(crate) const VARIABLE: &str = "MANGROVE_COMPLETE";
/// A node that takes longer to say what its contexts are called is not waited for.
const PATIENCE_SECS: u32 = 2;

/// Answers a shell that asks what may come next, and ends the program then. Anybody else is not answered.
pub(crate) fn answer() {
    CompleteEnv::with_factory(|| with_contexts(command())).var(VARIABLE).complete();
}

/// A grammar in which contexts are completed, wherever one is named, and files, wherever one is.
fn with_contexts(grammar: Command) -> Command {
    let complete = |typed: &OsStr| {
        // Whoever types wants no error: there is nothing to offer.
        let typed = typed.to_str().unwrap_or_default();
        found(typed).unwrap_or_default()
    };
    let path = TypeId::of::<Utf8PathBuf>();
    let grammar = grammar.mut_args(|arg| match arg.get_id() == "context" {
        true => arg.add(ArgValueCompleter::new(complete)),
        false if arg.get_value_parser().type_id() == path => arg.value_hint(ValueHint::AnyPath),
        false => arg,
    });
    grammar.mut_subcommands(with_contexts)
}

/// The contexts of the node in the home that is meant whose names or ids begin so. It is asked by the socket in the
/// home: that takes little of it, and no token leaves this program because of a key that was pressed.
fn found(typed: &str) -> Option<Vec<CompletionCandidate>> {
    let global = global(&words());
    if global.api.is_some() {
        return None;
    }
    let session = Session::new(global, Environment::of_process()).ok()?;
    let told = diagnose(&session, "contexts").ok()?;
    let told = serde_json::from_str::<Value>(&told).ok()?;
    Some(offers(told.get("contexts")?.as_array()?, typed))
}

fn named(context: &Value) -> &str {
    field::text(context, "name")
}

/// By what contexts go on a command line: by name, or by id if a shell would take the name for something else, or
/// another one is called so, too.
fn offers(contexts: &[Value], typed: &str) -> Vec<CompletionCandidate> {
    let is_bare = |name: &str| {
        let is_plain = |letter: char| letter.is_alphanumeric() || "-_./@+".contains(letter);
        !name.is_empty() && !name.starts_with('-') && name.chars().all(is_plain)
    };
    let is_only =
        |one: &Value| contexts.iter().filter(|other| named(other) == named(one)).count() == 1;
    let offer = |context: &Value| {
        let (id, name) = (field::text(context, "context"), named(context));
        let by_name = is_bare(name) && is_only(context) && name.starts_with(typed);
        let (word, what) = match by_name {
            true => (name, field::text(context, "state")),
            false => (id, name),
        };
        let help = Some(printable(what).into());
        word.starts_with(typed).then(|| CompletionCandidate::new(word).help(help))
    };
    let mut offers = contexts.iter().filter_map(offer).collect::<Vec<_>>();
    offers.sort_by(|one, other| one.get_value().cmp(other.get_value()));
    offers
}

/// What was typed so far. A shell puts it behind `--`.
fn words() -> Vec<String> {
    let words = env::args_os().skip_while(|word| word != "--").skip(1);
    words.filter_map(|word| word.into_string().ok()).collect()
}

/// The flags that say which node is meant. Shells give `--home=X` whole, or in three words.
fn global(words: &[String]) -> Global {
    let value = |flag: &str| {
        let is_it = |word: &String| word.split('=').next() == Some(flag);
        let mut rest = words.iter().skip_while(|word| !is_it(word));
        match rest.next()?.split_once('=') {
            Some((_, value)) if !value.is_empty() => Some(value.to_owned()),
            _ => rest.find(|word| *word != "=").cloned(),
        }
    };
    let timeout = value("--timeout").and_then(|secs| secs.parse().ok());
    Global {
        home: value("--home").map(|home| Utf8PathBuf::from(expanded(home))),
        json: false,
        quiet: true,
        verbose: 0,
        color: Color::Never,
        timeout: timeout.or(Some(PATIENCE_SECS)),
        api: value("--api"),
        token_file: None,
        passphrase_file: None,
        settings: Vec::new(),
    }
}

/// A folder as a shell would give it, which does not while it completes.
fn expanded(folder: String) -> String {
    match (folder.strip_prefix("~/"), env::var("HOME")) {
        (Some(rest), Ok(home)) => format!("{home}/{rest}"),
        _ => folder,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn which_node_is_meant_is_read_from_what_was_typed_so_far() {
        let typed = |words: &[&str]| {
            global(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
        };
        let home = |words: &[&str]| typed(words).home.map(Utf8PathBuf::into_string);
        assert_eq!(home(&["mangrove", "get", "--home", "a", "b"]).as_deref(), Some("a"));
        assert_eq!(home(&["mangrove", "--home=/srv/a", "get"]).as_deref(), Some("/srv/a"));
        assert_eq!(home(&["mangrove", "--home", "=", "/srv/a", "get"]).as_deref(), Some("/srv/a"));
        assert_eq!(home(&["mangrove", "get", "--home"]), None);
        let at_home = format!("{}/ada", env::var("HOME").unwrap_or_else(|_| "~".to_owned()));
        assert_eq!(home(&["mangrove", "--home", "~/ada"]), Some(at_home));
        let split = ["mangrove", "--api", "https", ":", "//x", ":", "1", "get", ""];
        assert!(typed(&split).api.is_some(), "nobody is asked then");
    }

    #[test]
    fn what_a_shell_would_misread_and_what_several_are_called_goes_by_its_id() {
        let context =
            |name: &str, id: &str| json!({ "name": name, "context": id, "state": "ready" });
        let offered = |contexts: &[Value], typed: &str| {
            let offers = offers(contexts, typed).into_iter();
            offers.map(|it| it.get_value().to_string_lossy().into_owned()).collect::<Vec<_>>()
        };
        let one = |name: &str, typed: &str| offered(&[context(name, "abc")], typed).join(" ");
        assert_eq!(one("garden", "ga"), "garden");
        assert_eq!(one("garden", ""), "garden");
        assert_eq!(one("garden", "ab"), "abc");
        for name in ["my garden", "$HOME", "-x", "a\u{1b}b", ""] {
            assert_eq!(one(name, ""), "abc", "{name:?}");
        }
        assert_eq!(one("garden", "x"), "");
        assert_eq!(offered(&[context("g", "b"), context("g", "a")], ""), ["a", "b"]);
    }
}
