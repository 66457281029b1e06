//! `mangrove blob`: what is larger than a value. The node has no methods for it.

use camino::Utf8PathBuf;
use clap::Subcommand;

use crate::exit::Kind;
use crate::failure::Failure;

/// Keep large files in a context (not there yet)
#[derive(Debug, clap::Args)]
pub(crate) struct BlobArgs {
    #[command(subcommand)]
    command: BlobCommand,
}

#[derive(Debug, Subcommand)]
enum BlobCommand {
    /// Put a file under a key
    Put {
        /// The context
        context: String,
        /// The key
        key: String,
        /// The file
        file: Utf8PathBuf,
    },
    /// Get what lies under a key
    Get {
        /// The context
        context: String,
        /// The key
        key: String,
        /// Where to write it; standard output if nothing is said
        file: Option<Utf8PathBuf>,
    },
    /// List what there is
    List {
        /// The context
        context: String,
    },
    /// Remove what lies under a key
    Remove {
        /// The context
        context: String,
        /// The key
        key: String,
    },
    /// Show what is on its way
    Status {
        /// The context
        context: String,
    },
}

pub(crate) fn run(args: &BlobArgs) -> Failure {
    let (name, about) = match &args.command {
        BlobCommand::Put { context, key, file } => ("put", format!("{file} at {key} in {context}")),
        BlobCommand::Get { context, key, file } => {
            let into = file.as_ref().map(|file| format!(" into {file}")).unwrap_or_default();
            ("get", format!("{key} in {context}{into}"))
        }
        BlobCommand::List { context } => ("list", context.clone()),
        BlobCommand::Remove { context, key } => ("remove", format!("{key} in {context}")),
        BlobCommand::Status { context } => ("status", context.clone()),
    };
    Failure::new(Kind::MethodNotFound, format!("blobs are not there yet: {name} {about}"))
        .hint("values may have up to 512 KiB: mangrove put")
}
