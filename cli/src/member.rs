//! `mangrove member`: who takes part in a context, and as what.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::client::Client;
use crate::confirm::Confirmation;
use crate::failure::Failure;
use crate::field;
use crate::human::{Cell, Column, Table, ago, now_ms, printable, tail};
use crate::paint::{Look, Tone};
use crate::present::Report;
use crate::session::Session;
use crate::value::Role;

/// List and change the members of a context
#[derive(Debug, clap::Args)]
pub(crate) struct MemberArgs {
    #[command(subcommand)]
    command: MemberCommand,
}

#[derive(Debug, Subcommand)]
enum MemberCommand {
    /// List the members of a context
    List {
        /// The context: its name here, its id, or how its id begins
        context: String,
    },
    /// Give a member another role
    Role {
        /// The context: its name here, its id, or how its id begins
        context: String,
        /// The member's id
        member: String,
        /// What it may do from now on
        #[arg(value_enum)]
        role: Role,
    },
    /// Remove a member from a context
    ///
    /// It reads nothing that is written by those who know of it, and writes nothing any more, not even back-dated.
    /// Whom it has let in, or given a role, may lose that too: they are named.
    Remove(RemoveArgs),
}

#[derive(Debug, clap::Args)]
struct RemoveArgs {
    /// The context: its name here, its id, or how its id begins
    context: String,
    /// The member's id
    member: String,
    #[command(flatten)]
    confirmation: Confirmation,
}

pub(crate) fn run(args: &MemberArgs, session: &Session) -> Result<Report, Failure> {
    match &args.command {
        MemberCommand::List { context } => list(context, session),
        MemberCommand::Role { context, member, role } => {
            let params = json!({ "context": context, "member": member, "role": role.name() });
            let done = Client::open(session)?.call("member.setRole", &params)?;
            let text = format!("{} is {} from now on\n", printable(member), role.name());
            Ok(Report::note(text + &falls(&done), done))
        }
        MemberCommand::Remove(args) => remove(args, session),
    }
}

fn list(context: &str, session: &Session) -> Result<Report, Failure> {
    let found = Client::open(session)?.call("member.list", &json!({ "context": context }))?;
    Ok(Report::answer(table(field::items(&found), session.look, now_ms()), found))
}

fn remove(args: &RemoveArgs, session: &Session) -> Result<Report, Failure> {
    let RemoveArgs { context, member, confirmation } = args;
    let shown = printable(member);
    confirmation.obtain(|| Ok(format!("Remove {shown} from {}?", printable(context))))?;
    let params = json!({ "context": context, "member": member });
    let done = Client::open(session)?.call("member.remove", &params)?;
    Ok(Report::note(format!("{shown} is removed\n") + &falls(&done), done))
}

/// Whose roles fell with what was decided.
fn falls(decided: &Value) -> String {
    let all = field::list(decided, "falls").iter().filter_map(Value::as_str);
    all.map(|member| format!("with it falls what {} was given\n", printable(member))).collect()
}

fn table(members: &[Value], look: Look, now_ms: u64) -> String {
    let mut table = Table::new([
        Column::words("MEMBER"),
        Column::words("ROLE"),
        Column::words("ONLINE"),
        Column::words("SEEN"),
        Column::words("BY"),
        Column::long("NAME"),
    ]);
    for member in members {
        let online = match (field::says(member, "self"), field::says(member, "online")) {
            (true, _) => Cell::toned(Tone::Good, "this node"),
            (false, true) => Cell::toned(Tone::Good, "yes"),
            (false, false) => Cell::toned(Tone::Faint, "no"),
        };
        let seen = member.get("lastSeenAt").and_then(Value::as_u64);
        table.row([
            field::text(member, "member").into(),
            field::text(member, "role").into(),
            online,
            seen.map_or_else(|| "never".to_owned(), |at_ms| ago(at_ms, now_ms)).into(),
            tail(field::text(member, "grantedBy")).into(),
            field::text(member, "name").into(),
        ]);
    }
    table.text(look)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paint::Paint;

    #[test]
    fn members_stand_with_when_they_were_seen() {
        let look = Look { paint: Paint::Off, columns: None };
        let members = [
            json!({ "member": "a", "role": "owner", "self": true, "online": true, "grantedBy": null, "lastSeenAt": 9 }),
            json!({ "member": "b", "role": "writer", "self": false, "online": false, "grantedBy": "a", "lastSeenAt": null, "name": "Bo" }),
        ];
        let expect = "\
MEMBER  ROLE    ONLINE     SEEN      BY  NAME
a       owner   this node  just now
b       writer  no         never     a   Bo
";
        assert_eq!(table(&members, look, 10), expect);
        let decided = json!({ "falls": ["c"] });
        assert_eq!(falls(&decided), "with it falls what c was given\n");
    }
}
