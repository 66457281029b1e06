//! `mangrove run`: runs a node. The composition root: what the process is made of, and how it ends.

use std::fs;
use std::future::pending;
use std::time::Duration;

use mangrove_config::address::Multiaddr;
use mangrove_config::network::Profile;
use mangrove_config::setting::Text;
use mangrove_config::{Override, Settings, failpoint};
use mangrove_node::diagnostics::LogFilter;
use mangrove_node::warden::{Exit, Manner, Phase, log_panics};
use mangrove_node::{Handle, Node, Setup, StartError};
use mangrove_protocol::ticket::Ticket;
use mangrove_server::{Listener, Tokens};
use serde_json::json;

use crate::exit::Kind;
use crate::failure::Failure;
use crate::home;
use crate::logging;
use crate::present::{Ending, Stream};
use crate::running::Announcement;
use crate::session::Session;
use crate::store;

/// Run a node in the foreground, until a signal or `mangrove stop` ends it
///
/// Makes a home first if there is none. Prints where it can be reached once it serves; logs go to
/// standard error. A first signal lets it finish what it has; a second one does not.
#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    /// Be reachable for peers here, instead of where the settings say
    #[arg(long, value_name = "MULTIADDR")]
    listen: Vec<String>,

    /// Serve the API here; port 0 takes any free one
    #[arg(long, value_name = "ADDR:PORT")]
    api: Option<String>,

    /// Dial this peer at start as well
    #[arg(long, value_name = "MULTIADDR")]
    bootstrap: Vec<String>,

    /// Come into the context of this ticket
    #[arg(long, value_name = "TICKET")]
    join: Vec<Ticket>,

    /// When a write counts as durable: `fsync` or `buffered`
    #[arg(long, value_name = "WHEN")]
    durability: Option<String>,

    /// What this node is: `full`, or `replica`, which keeps contexts that it cannot read
    #[arg(long, value_name = "MODE")]
    mode: Option<String>,

    /// Do not look for peers on the local network
    #[arg(long)]
    no_mdns: bool,
}

pub(crate) fn run(args: &RunArgs, session: &Session) -> Result<Ending, Failure> {
    let settings = settings(args, session)?;
    arm(&settings)?;
    let (filter, writing) = logging::start(&settings.log, session)?;
    log_panics();
    let tickets = args.join.iter().map(Ticket::to_text).collect();
    let ended = go(&settings, (filter, tickets), session);
    writing.end();
    match ended? {
        Exit::Fatal(why) => Err(Failure::new(Kind::Fatal, "the node could not go on").because(why)),
        exit => Ok(Ending(exit.code())),
    }
}

/// Makes fail what the settings say. In a release build that is refused.
fn arm(settings: &Settings) -> Result<(), Failure> {
    let specs = settings.node.failpoints.iter().cloned();
    specs
        .into_iter()
        .try_for_each(|spec| failpoint::global().set(spec))
        .map_err(|why| Failure::new(Kind::Config, "node.failpoints cannot be used").because(why))
}

/// Starts the node, serves its API, and runs it to its end.
fn go(
    settings: &Settings,
    (log, tickets): (LogFilter, Vec<String>),
    session: &Session,
) -> Result<Exit, Failure> {
    if !session.home.format_file().exists() {
        home::refuse_occupied(&session.home)?;
        home::make(&session.home, &Settings::default(), None)?;
        tracing::info!(home = %session.home.root(), "made a home");
    }
    let data_key = store::data_key(session)?;
    let keys = home::keys(&session.home, data_key.as_ref())?;
    let tokens = tokens(session)?;
    // What the stage of the API has of the time for stopping.
    let grace = Duration::from_secs(settings.node.drain_secs * 3 / 13);
    let home = session.home.clone();
    let setup = Setup { home, settings: settings.clone(), keys, data_key, log };
    let ended = mangrove_node::block_on(async {
        // What is most likely to be in the way is tried before anything takes long.
        let listener = Listener::bind(&settings.server).map_err(|why| unserved(&why))?;
        let mut node = match mangrove_node::open(setup).await {
            Ok(node) => node,
            Err(StartError::Interrupted(signal)) => return Ok(Exit::Signal(signal)),
            Err(why) => return Err(not_started(&why)),
        };
        node.settle(SETTLING).await;
        if !tickets.is_empty() {
            node.join(tickets);
        }
        match serve(&mut node, listener, tokens, (session, grace)) {
            Ok(()) => Ok(node.run().await),
            Err(failure) => {
                node.handle.stop();
                node.run().await;
                Err(failure)
            }
        }
    });
    let failed = |why| Failure::new(Kind::Internal, "cannot run anything").because(why);
    ended.map_err(failed)?
}

/// Serves the API of a node that has started, and tells everybody where.
fn serve(
    node: &mut Node,
    listener: Listener,
    tokens: Tokens,
    (session, grace): (&Session, Duration),
) -> Result<(), Failure> {
    let handle = node.handle.clone();
    let serving = listener.serve(handle.clone(), tokens, grace).map_err(|why| unserved(&why))?;
    let api = serving.url();
    let (stopper, ended) = serving.split();
    let standing = node.warden.standing();
    node.warden.alarm(async move {
        let why = ended.await;
        match standing.phase() {
            Phase::Stopping => pending().await,
            Phase::Starting | Phase::Ready => why.into(),
        }
    });
    node.warden.on_stop("api", 3, move |manner| {
        let stopper = stopper.clone();
        async move {
            match manner {
                Manner::Drain => stopper.drain().await,
                Manner::Cut => stopper.cut(),
            }
            Ok(())
        }
    });
    node.warden.ready();
    let announcement = Announcement::write(&session.home, &api, handle.peer())?;
    node.warden.on_stop("announcement", 0, move |_| {
        announcement.withdraw();
        async { Ok(()) }
    });
    announce(&handle, &api, session)
}

/// Says that the node serves, and where.
fn announce(handle: &Handle, api: &str, session: &Session) -> Result<(), Failure> {
    let (peer, addresses) = (handle.peer(), handle.addresses());
    let mut text = format!("node {peer} is ready\n  api    {api}\n");
    for address in addresses {
        text.push_str(&format!("  peers  {address}\n"));
    }
    let peer = peer.to_string();
    let event = json!({ "event": "ready", "api": api, "peer": peer, "addresses": addresses });
    Stream::of(session).tell(&text, &event)
}

/// The settings in force, with what the flags of this command say.
fn settings(args: &RunArgs, session: &Session) -> Result<Settings, Failure> {
    let resolved = session.resolve()?.settings;
    let mut given = Vec::new();
    let mut set = |flag: &str, key: &str, value: String| {
        given.push(Override { flag: format!("{flag} {value}"), key: key.to_owned(), value });
    };
    if !args.listen.is_empty() {
        set("--listen", "network.listen", args.listen.join(","));
    }
    if let Some(api) = &args.api {
        set("--api", "server.listen", api.clone());
    }
    if !args.bootstrap.is_empty() {
        let known = resolved.network.bootstrap.iter().map(Multiaddr::print);
        let all = known.chain(args.bootstrap.iter().cloned()).collect::<Vec<_>>();
        set("--bootstrap", "network.bootstrap", all.join(","));
    }
    if let Some(durability) = &args.durability {
        set("--durability", "store.durability", durability.clone());
    }
    if let Some(mode) = &args.mode {
        set("--mode", "node.mode", mode.clone());
    }
    if args.no_mdns && resolved.network.profile == Profile::Lan {
        set("--no-mdns", "network.profile", Profile::Server.print());
    }
    Ok(session.resolve_given(given)?.settings)
}

fn tokens(session: &Session) -> Result<Tokens, Failure> {
    let path = session.home.token_file();
    let failed = || Failure::new(Kind::Storage, format!("cannot read the API's token in {path}"));
    let text = fs::read_to_string(&path).map_err(|why| failed().because(why))?;
    if text.trim().is_empty() {
        return Err(failed().because("the file is empty"));
    }
    Tokens::open(&session.home.tokens_file(), &text).map_err(|why| {
        Failure::new(Kind::Storage, "cannot read the tokens of the API").because(why)
    })
}

fn unserved(why: &mangrove_server::StartError) -> Failure {
    let failure = Failure::new(Kind::Conflict, "cannot serve the API").because(why);
    match why {
        mangrove_server::StartError::InUse(_) => failure
            .hint("another node may run there; choose another port: --api 127.0.0.1:0 takes any"),
        mangrove_server::StartError::Certificate { .. } => {
            failure.hint("mend what server.tls and server.tls_key name, or set server.tls to \"\"")
        }
        _ => failure.hint("choose another address: --api ADDR:PORT"),
    }
}

fn not_started(why: &StartError) -> Failure {
    match why {
        StartError::Store(why) => store::unopened(why),
        StartError::Network(why) => {
            let failure = Failure::new(Kind::Conflict, "cannot meet peers").because(why);
            failure
                .hint("choose other addresses: --listen MULTIADDR, or the setting network.listen")
        }
        StartError::Diagnostics { .. } => {
            let failure = Failure::new(Kind::Storage, "cannot start the node").because(why);
            failure.hint("go without diagnostics: --set node.diagnostics=false")
        }
        why => Failure::new(Kind::Internal, "cannot start the node").because(why),
    }
}

/// For how long serving waits for what was stored to be looked through. What takes longer is told by the states of
/// contexts.
const SETTLING: Duration = Duration::from_secs(10);

/// For how long a node that was asked to stop is waited for, if nothing else is said.
pub(crate) const STOPPING: Duration = Duration::from_secs(60);
