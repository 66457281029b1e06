//! The rules of the house, checked, so that nobody has to remember them.
//!
//! A [`Tree`] holds the files of the workspace, a [`Graph`] its packages and what they depend on.
//! Every rule is a function from one of the two to its [`Violation`]s, in a file of its own under
//! [`rules`]; each tests itself on a planted violation and on a legitimate neighbour of it.
//! `tests/house.rs` holds the real workspace to all of them. [`Measures`] is the part that is a
//! report and not a law; `cargo run -p mangrove-tidy` prints it.

pub mod rules;

mod error;
mod graph;
mod markdown;
mod measure;
mod scan;
mod shell;
mod tree;
mod violation;
mod words;

use camino::{Utf8Path, Utf8PathBuf};

pub use error::Error;
pub use graph::{Dependency, Graph, Kind, Package};
pub use measure::{FileSize, Function, Measures};
pub use tree::{File, Tree};
pub use violation::Violation;

/// The folder of the workspace that cargo runs this crate in.
///
/// Asked for when it runs: checkouts that share a target folder may share what was built.
pub fn workspace_root() -> Utf8PathBuf {
    let here = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| ".".to_owned());
    let here = Utf8Path::new(&here);
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}
