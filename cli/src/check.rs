//! `mangrove check`: whether what a stopped home holds is what was written.

use mangrove_store::check::{self, Depth, Finding};
use serde_json::{Value, json};

use crate::exit::Kind;
use crate::failure::Failure;
use crate::home::format;
use crate::present::{Bar, Report};
use crate::session::Session;
use crate::store;

/// Look whether a stopped home holds what was written to it
///
/// Every row is read and held against the others. Nothing is changed. Exits 1 if something is
/// damaged, and says where.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// Make the state of every context anew from its log, and compare
    #[arg(long)]
    deep: bool,
}

pub(crate) fn run(args: &CheckArgs, session: &Session) -> Result<Report, Failure> {
    format::require(&session.home)?;
    let folder = session.home.store_folder();
    let depth = if args.deep { Depth::Deep } else { Depth::Structure };
    let report = match folder.exists() {
        true => {
            let settings = session.resolve()?.settings.store;
            let key = store::data_key(session)?;
            let bar = Bar::new(session, "checking");
            let mut progress = |it: check::Progress| bar.show(it.done, it.of);
            let looked = check::check(&folder, (&settings, key.as_ref()), depth, &mut progress);
            bar.clear();
            looked.map_err(|why| store::unopened(&why))?
        }
        false => check::Report::default(),
    };
    if !report.is_clean() {
        return Err(damaged(session, &report));
    }
    let check::Report { contexts, rows, .. } = report;
    let text = format!("all is well: {contexts} contexts, {rows} rows\n");
    let json = json!({ "ok": true, "deep": args.deep, "contexts": contexts, "rows": rows });
    Ok(Report::note(text, json))
}

fn damaged(session: &Session, report: &check::Report) -> Failure {
    let root = session.home.root();
    let count = report.findings.len() as u64 + report.more;
    let what = format!("the home at {root} is damaged in {count} places");
    let failure = Failure::new(Kind::Storage, what);
    let failure =
        report.findings.iter().fold(failure, |failure, finding| failure.because(words(finding)));
    let findings: Vec<Value> = report.findings.iter().map(document).collect();
    failure
        .hint("restore a backup: mangrove restore DIR --home NEW")
        .data(json!({ "contexts": report.contexts, "rows": report.rows, "findings": findings, "more": report.more }))
}

fn words(finding: &Finding) -> String {
    let Finding { context, table, what } = finding;
    match context {
        Some(context) => format!("context {context}, {table}: {what}"),
        None => format!("{table}: {what}"),
    }
}

fn document(finding: &Finding) -> Value {
    let context = finding.context.map(|context| context.to_string());
    json!({ "context": context, "table": finding.table, "what": finding.what })
}
