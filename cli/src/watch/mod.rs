//! `mangrove watch`: what happens to a context, as it happens.

mod line;

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Client, Pause};
use crate::exit::Kind;
use crate::failure::Failure;
use crate::field;
use crate::present::{Ending, Stream, notice};
use crate::session::Session;

/// Print what happens to a context, as it happens, until it is interrupted
///
/// It begins with all that is kept, unless --after says otherwise. Restarts of the node and lost connections are
/// waited for, and nothing is missed or told twice: it goes on after the last cursor. With --json each line is an item
/// of the feed, and its `cursor` is what --after takes.
#[derive(Debug, clap::Args)]
pub(crate) struct WatchArgs {
    /// The context: its name here, its id, or how its id begins
    context: String,
    /// How the keys begin whose changes are told
    #[arg(default_value = "", hide_default_value = true)]
    prefix: String,
    /// Begin after this: a cursor, `start` for all that is kept, or `now`
    #[arg(long, value_name = "CURSOR", default_value = "start")]
    after: String,
}

/// Where somebody who watches has got to.
struct Watching<'a> {
    session: &'a Session,
    context: String,
    prefix: &'a str,
    after: String,
}

/// Why nothing more comes.
enum Over {
    /// Nobody reads it.
    Unread,
    /// The node has ended it, or cannot be reached.
    Lost(Failure),
}

pub(crate) fn run(args: &WatchArgs, session: &Session) -> Result<Ending, Failure> {
    let mut client = Client::open(session)?;
    let found = client.call("context.get", &json!({ "context": args.context }))?;
    // What is called so may be another one after a restart.
    let context = field::text(&found, "context").to_owned();
    let after = match args.after.as_str() {
        "now" => now(&client, &context)?,
        after => after.to_owned(),
    };
    let mut watching = Watching { session, context, prefix: &args.prefix, after };
    let (mut pause, mut said) = (Pause::default(), String::new());
    loop {
        let before = watching.after.clone();
        let lost = match watching.follow(&client)? {
            Over::Unread => return Ok(Ending(0)),
            Over::Lost(failure) => failure,
        };
        if !lost.kind().is_passing() {
            return Err(lost);
        }
        if watching.after != before {
            (pause, said) = (Pause::default(), String::new());
        }
        if said != lost.message() {
            said = lost.message();
            notice(session, &format!("{said}; trying again\n"));
        }
        pause.wait(Duration::MAX);
        // It may serve elsewhere now. As long as it does not run, it is asked where it was.
        match Client::open(session) {
            Ok(found) => client = found,
            Err(failure) if failure.kind().is_passing() => {}
            Err(failure) => return Err(failure),
        }
    }
}

/// Where the feed of a context is.
fn now(client: &Client, context: &str) -> Result<String, Failure> {
    let params = json!({ "context": context, "after": "now", "limit": 1 });
    let read = client.call("feed.read", &params)?;
    Ok(field::text(&read, "cursor").to_owned())
}

impl Watching<'_> {
    /// Tells what comes, until nothing more does.
    fn follow(&mut self, client: &Client) -> Result<Over, Failure> {
        let mut feed = match client.listen(&self.context, &self.after, self.prefix) {
            Ok(feed) => feed,
            Err(failure) => return Ok(Over::Lost(failure)),
        };
        loop {
            match feed.event() {
                Err(failure) => return Ok(Over::Lost(failure)),
                Ok(None) => {
                    let what = "the node has ended the feed";
                    return Ok(Over::Lost(Failure::new(Kind::Stopping, what)));
                }
                // There may be more in a later version.
                Ok(Some(event)) if event.kind.is_some() => {}
                Ok(Some(event)) => {
                    let item = serde_json::from_str::<Value>(&event.data).map_err(|why| {
                        Failure::new(Kind::Internal, "the feed cannot be read").because(why)
                    })?;
                    let text = line::of(&item, self.session.look);
                    if Stream::of(self.session).item(&text, &item)?.is_break() {
                        return Ok(Over::Unread);
                    }
                    if let Some(id) = event.id.filter(|id| !id.is_empty()) {
                        self.after = id;
                    }
                }
            }
        }
    }
}
