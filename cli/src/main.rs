//! The `mangrove` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    mangrove_cli::main()
}
