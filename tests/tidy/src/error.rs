//! What keeps the rules from being checked at all.

use camino::Utf8PathBuf;

/// Why the workspace could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A program that describes the workspace could not be started.
    #[error("cannot run `{program}`")]
    Start {
        /// The program.
        program: String,
        /// Why it did not start.
        source: std::io::Error,
    },
    /// A program that describes the workspace ran and failed; its words say what to mend.
    #[error("`{program}` failed: {complaint}")]
    Failed {
        /// The program.
        program: String,
        /// What it wrote to its standard error.
        complaint: String,
    },
    /// A file that git listed could not be read.
    #[error("cannot read {path}")]
    Read {
        /// The file, relative to the workspace.
        path: Utf8PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A program answered with bytes that are not UTF-8.
    #[error("`{program}` answered with bytes that are not UTF-8")]
    NotUtf8 {
        /// The program.
        program: String,
    },
    /// The answer of `cargo metadata` is not JSON.
    #[error("the answer of `cargo metadata` is not JSON")]
    Json(#[from] serde_json::Error),
    /// The answer of `cargo metadata` lacks a field that the rules need.
    #[error("the answer of `cargo metadata` has no `{0}`")]
    Missing(&'static str),
}
