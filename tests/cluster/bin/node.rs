//! The `mangrove` command again, so that these tests always run what was just built.
//!
//! Cargo tells tests where the programs of their own package are, and of no other. To look for `mangrove`
//! beside the tests would find the one that somebody has built last, or none: `cargo nextest run
//! --workspace` builds it first, `cargo nextest run -p mangrove-cluster` does not, and to have a test
//! call Cargo would build the dependencies again with other features. This one has the same `main`.

use std::process::ExitCode;

fn main() -> ExitCode {
    mangrove_cli::main()
}
