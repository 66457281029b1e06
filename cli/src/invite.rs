//! `mangrove invite`: what lets others into a context.

use std::time::Duration;

use clap::Subcommand;
use serde_json::{Value, json};

use crate::client::Client;
use crate::exit::Kind;
use crate::failure::Failure;
use crate::field;
use crate::human::{Column, Table, ago, now_ms, printable, tail};
use crate::paint::Look;
use crate::present::Report;
use crate::session::Session;
use crate::span;
use crate::value::Role;

/// Print a ticket that lets somebody into a context
///
/// Whoever has the ticket is let in: hand it over where nobody else can read it. It is taken with `mangrove join`.
#[derive(Debug, clap::Args)]
#[command(subcommand_negates_reqs = true)]
pub(crate) struct InviteArgs {
    /// The context: its name here, its id, or how its id begins
    #[arg(required = true)]
    context: Option<String>,
    /// As what somebody comes in
    #[arg(long, value_enum, default_value = "writer")]
    role: Role,
    /// For how long the ticket is good, such as 90s, 30m, 12h or 7d
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = span::parse)]
    expires: Duration,
    /// How often it is good; 0 for any number
    #[arg(long, value_name = "N", default_value_t = 1)]
    uses: u32,
    #[command(subcommand)]
    command: Option<InviteCommand>,
}

#[derive(Debug, Subcommand)]
enum InviteCommand {
    /// List the invites of a context that are open
    List {
        /// The context
        context: String,
    },
    /// Close an invite
    ///
    /// Whoever came in by it stays.
    Close {
        /// The context
        context: String,
        /// The invite, as it is listed
        invite: String,
    },
}

pub(crate) fn run(args: &InviteArgs, session: &Session) -> Result<Report, Failure> {
    match (&args.command, &args.context) {
        (Some(InviteCommand::List { context }), _) => list(context, session),
        (Some(InviteCommand::Close { context, invite }), _) => close((context, invite), session),
        (None, Some(context)) => create(context, args, session),
        (None, None) => Err(Failure::new(Kind::Usage, "no context is named")),
    }
}

fn create(context: &str, args: &InviteArgs, session: &Session) -> Result<Report, Failure> {
    let params = json!({
        "context": context,
        "role": args.role.name(),
        "expiresInSecs": args.expires.as_secs(),
        "uses": args.uses,
    });
    let made = Client::open(session)?.call("invite.create", &params)?;
    Ok(Report::answer(format!("{}\n", field::text(&made, "ticket")), made))
}

fn list(context: &str, session: &Session) -> Result<Report, Failure> {
    let found = Client::open(session)?.call("invite.list", &json!({ "context": context }))?;
    Ok(Report::answer(table(field::items(&found), session.look, now_ms()), found))
}

fn close((context, invite): (&str, &str), session: &Session) -> Result<Report, Failure> {
    let params = json!({ "context": context, "invite": invite });
    let done = Client::open(session)?.call("invite.close", &params)?;
    Ok(Report::note(format!("closed {}\n", printable(invite)), done))
}

fn table(invites: &[Value], look: Look, now_ms: u64) -> String {
    if invites.is_empty() {
        return "no invites are open\n".to_owned();
    }
    let mut table = Table::new([
        Column::words("INVITE"),
        Column::words("ROLE"),
        Column::numbers("USED"),
        Column::words("EXPIRES"),
        Column::words("BY"),
    ]);
    for invite in invites {
        let used = match field::number(invite, "uses") {
            0 => format!("{} of any", field::number(invite, "used")),
            uses => format!("{} of {uses}", field::number(invite, "used")),
        };
        table.row([
            field::text(invite, "invite").into(),
            field::text(invite, "role").into(),
            used.into(),
            ago(field::number(invite, "expiresAt"), now_ms).into(),
            tail(field::text(invite, "by")).into(),
        ]);
    }
    table.text(look)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paint::Paint;

    #[test]
    fn invites_stand_with_what_is_left_of_them() {
        let look = Look { paint: Paint::Off, columns: None };
        let invites = [
            json!({ "invite": "abc", "role": "writer", "uses": 2, "used": 1, "expiresAt": 61_000, "by": "me" }),
            json!({ "invite": "d", "role": "reader", "uses": 0, "used": 7, "expiresAt": 1, "by": "me" }),
        ];
        let expect = "\
INVITE  ROLE        USED  EXPIRES   BY
abc     writer    1 of 2  in 1 min  me
d       reader  7 of any  just now  me
";
        assert_eq!(table(&invites, look, 1_000), expect);
        assert_eq!(table(&[], look, 0), "no invites are open\n");
    }
}
