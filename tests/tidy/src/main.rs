//! Tells what breaks the rules of the house, and how long its files and functions are.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use mangrove_tidy::{Graph, Measures, Tree, rules, workspace_root};

/// Ends with 1 if a rule is broken, and with 2 if that could not be found out.
fn main() -> ExitCode {
    match report(&mut io::stdout().lock()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => explain(error.as_ref()),
    }
}

/// Writes the report; returns how many violations are in it.
fn report(out: &mut impl Write) -> Result<usize, Box<dyn Error>> {
    let root = workspace_root();
    let tree = Tree::load(&root)?;
    let violations = rules::violations(&tree, &Graph::load(&root)?);
    for violation in &violations {
        writeln!(out, "{violation}")?;
    }
    writeln!(out, "violations: {}", violations.len())?;
    writeln!(out, "{}", Measures::of(&tree))?;
    Ok(violations.len())
}

fn explain(error: &dyn Error) -> ExitCode {
    let reason = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    // Whoever closed the standard error does not want to know.
    let _unheard = writeln!(io::stderr().lock(), "tidy: {error}{reason}");
    ExitCode::from(2)
}
