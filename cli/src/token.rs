//! `mangrove token`: what lets programs use the API.

use std::time::Duration;

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::client::Client;
use crate::failure::Failure;
use crate::field;
use crate::human::{Column, Table, ago, now_ms, printable, short};
use crate::paint::Look;
use crate::present::Report;
use crate::session::Session;
use crate::span;

/// Make, list and revoke tokens for the API
///
/// The token in api.token of the home is for everything, and is none of those that are listed.
#[derive(Debug, clap::Args)]
pub(crate) struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Make a token and print it, this once
    Create(CreateArgs),
    /// List the tokens that were made, but for their secrets
    List,
    /// Revoke a token
    ///
    /// Sockets that were opened with it are closed.
    Revoke {
        /// The token's id, as it is listed
        id: String,
    },
}

#[derive(Debug, clap::Args)]
struct CreateArgs {
    /// For this context alone
    #[arg(long, value_name = "C")]
    context: Option<String>,
    /// What it allows
    #[arg(long, value_enum, default_value = "read")]
    access: Access,
    /// For how long it is good, such as 90s, 30m, 12h or 7d; for ever if nothing is said
    #[arg(long, value_name = "TIME", value_parser = span::parse)]
    expires: Option<Duration>,
}

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Access {
    /// See what there is
    Read,
    /// Change what contexts hold, too
    Write,
    /// Everything
    Admin,
}

impl Access {
    const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

pub(crate) fn run(args: &TokenArgs, session: &Session) -> Result<Report, Failure> {
    let client = Client::open(session)?;
    match &args.command {
        TokenCommand::Create(args) => create(&client, args),
        TokenCommand::List => {
            let found = client.call("token.list", &json!({}))?;
            Ok(Report::answer(table(field::items(&found), session.look, now_ms()), found))
        }
        TokenCommand::Revoke { id } => {
            let done = client.call("token.revoke", &json!({ "id": id }))?;
            Ok(Report::note(format!("revoked {}\n", printable(id)), done))
        }
    }
}

fn create(client: &Client, args: &CreateArgs) -> Result<Report, Failure> {
    let params = json!({
        "context": args.context,
        "access": args.access.name(),
        "expiresInSecs": args.expires.map(|expires| expires.as_secs()),
    });
    let made = client.call("token.create", &params)?;
    Ok(Report::answer(format!("{}\n", field::text(&made, "token")), made))
}

fn table(tokens: &[Value], look: Look, now_ms: u64) -> String {
    if tokens.is_empty() {
        return "no tokens were made\n".to_owned();
    }
    let mut table = Table::new([
        Column::words("TOKEN"),
        Column::words("ACCESS"),
        Column::words("CONTEXT"),
        Column::words("EXPIRES"),
        Column::words("LAST USED"),
    ]);
    let when = |token: &Value, name: &str| {
        let at_ms = token.get(name).and_then(Value::as_u64);
        at_ms.map_or_else(|| "never".to_owned(), |at_ms| ago(at_ms, now_ms))
    };
    for token in tokens {
        let context = match field::text(token, "context") {
            "" => "all",
            context => short(context),
        };
        table.row([
            field::text(token, "id").into(),
            field::text(token, "access").into(),
            context.into(),
            when(token, "expiresAt").into(),
            when(token, "lastUsedAt").into(),
        ]);
    }
    table.text(look)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paint::Paint;

    #[test]
    fn tokens_stand_with_what_they_are_for() {
        let look = Look { paint: Paint::Off, columns: None };
        let tokens = [
            json!({ "id": "a", "access": "admin", "expiresAt": null, "lastUsedAt": 1_000 }),
            json!({ "id": "b", "access": "read", "context": "abcdefghijkl", "expiresAt": 3_700_000, "lastUsedAt": null }),
        ];
        let expect = "\
TOKEN  ACCESS  CONTEXT     EXPIRES  LAST USED
a      admin   all         never    9 s ago
b      read    abcdefghij  in 1 h   never
";
        assert_eq!(table(&tokens, look, 10_000), expect);
        assert_eq!(table(&[], look, 0), "no tokens were made\n");
    }
}
