//! `mangrove config`: what the node is told, and who told it.

use clap::Subcommand;
use mangrove_config::file::Source;
use mangrove_config::section::Raw;
use mangrove_config::{Override, Place, Settings, Sources};
use serde_json::{Map, Value, json};

use crate::exit::Kind;
use crate::failure::Failure;
use crate::home::format;
use crate::present::Report;
use crate::running::process;
use crate::session::Session;

/// Show, check and change the configuration
///
/// A setting has a default; the file config.toml in the home, the environment (such as
/// MANGROVE_LOG__FILTER) and the command line (--set log.filter=debug) can each say otherwise, the
/// later the stronger.
#[derive(Debug, clap::Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print every setting in force, and where its value comes from
    Show,
    /// Print where the configuration file lies
    Path,
    /// Find everything that is wrong, without starting anything
    Check,
    /// Change one setting in the file
    ///
    /// Comments and everything else in the file stay as they are. What would not pass
    /// `mangrove config check` is not written. Says whether a running node must be restarted.
    Set(SetArgs),
}

#[derive(Debug, clap::Args)]
struct SetArgs {
    /// The setting, as section.key
    key: String,
    /// The new value; the items of a list stand between commas
    #[arg(allow_hyphen_values = true)]
    value: String,
}

pub(crate) fn run(args: ConfigArgs, session: &Session) -> Result<Report, Failure> {
    match args.command {
        ConfigCommand::Show => show(session),
        ConfigCommand::Path => Ok(path(session)),
        ConfigCommand::Check => check(session),
        ConfigCommand::Set(args) => set(&args, session),
    }
}

fn show(session: &Session) -> Result<Report, Failure> {
    let resolved = session.resolve()?;
    let rows = resolved.rows();
    let text = rows.iter().map(|(key, value, place)| format!("{key} = {value}  # {place}\n"));
    let entry = |(key, value, place): &(String, toml_edit::Value, &Place)| {
        (key.clone(), json!({ "value": plain(value), "from": place.to_string() }))
    };
    let settings = rows.iter().map(entry).collect::<Map<_, _>>();
    Ok(Report::answer(text.collect::<String>(), json!({ "settings": settings })))
}

fn path(session: &Session) -> Report {
    let path = session.home.config_file();
    Report::answer(format!("{path}\n"), json!({ "path": path.as_str(), "exists": path.exists() }))
}

fn check(session: &Session) -> Result<Report, Failure> {
    let resolved = session.resolve()?;
    let path = session.home.config_file();
    let set = resolved.rows().iter().filter(|(_, _, place)| **place != Place::Default).count();
    let file = if path.exists() { path.to_string() } else { format!("{path} (no such file)") };
    let text = format!("the configuration is in order: {file}, {set} settings are not defaults\n");
    Ok(Report::note(text, json!({ "ok": true, "path": path.as_str(), "set": set })))
}

fn set(args: &SetArgs, session: &Session) -> Result<Report, Failure> {
    format::require(&session.home)?;
    let (section, key) = args.key.split_once('.').unwrap_or((&args.key, ""));
    let value = value_of(args, section, key)?;
    let path = session.home.config_file();
    let source = Source::read(&path).map_err(|error| Failure::config(&error))?;
    let source = source.unwrap_or_else(|| Source { path: path.clone(), text: String::new() });
    let changed = source.with(section, key, value.clone());
    let changed = changed.map_err(|error| Failure::config(&error))?;
    let alone = Sources { file: Some(changed.clone()), ..Sources::default() };
    alone.resolve().map_err(|error| Failure::config(&error))?;
    changed.replace().map_err(|error| {
        Failure::new(Kind::Storage, format!("cannot write {path}")).because(error)
    })?;
    let running = process(&session.home);
    let restart = match running {
        Some(pid) => {
            format!("restart needed: the node runs (pid {pid}) with the value it started with")
        }
        None => "the node will read it when it starts".to_owned(),
    };
    let text = format!("{} = {value}\n{restart}\n", args.key);
    let json = json!({
        "key": args.key,
        "value": plain(&value),
        "path": path.as_str(),
        "restart": running.is_some(),
    });
    Ok(Report::note(text, json))
}

/// The value as the file holds it; a key that does not exist or a value that does not fit is a
/// fault of the command line.
fn value_of(args: &SetArgs, section: &str, key: &str) -> Result<toml_edit::Value, Failure> {
    let mut settings = Settings::default();
    if let Some(section) = settings.section_mut(section)
        && section.set(key, Raw::Text(&args.value)) == Some(Ok(()))
        && let Some(value) = section.get(key)
    {
        return Ok(value);
    }
    let given = Override {
        flag: format!("config set {} {}", args.key, args.value),
        key: args.key.clone(),
        value: args.value.clone(),
    };
    let sources = Sources { overrides: vec![given], ..Sources::default() };
    let failure = Failure::new(Kind::Usage, format!("cannot set {} to {:?}", args.key, args.value));
    let problem = sources.resolve().err().and_then(|error| error.problems.into_iter().next());
    Err(match problem {
        Some(problem) => match problem.hint {
            Some(hint) => failure.because(problem.what).hint(hint),
            None => failure.because(problem.what),
        },
        None => failure,
    })
}

/// A setting as JSON.
fn plain(value: &toml_edit::Value) -> Value {
    match value {
        toml_edit::Value::Boolean(flag) => (*flag.value()).into(),
        toml_edit::Value::Integer(number) => (*number.value()).into(),
        toml_edit::Value::Array(items) => items.iter().map(plain).collect(),
        toml_edit::Value::String(text) => text.value().as_str().into(),
        other => other.to_string().into(),
    }
}
