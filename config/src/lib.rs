//! Plain settings and paths: what a node is told before it starts.
//!
//! A setting has one documented default. Four layers can say otherwise, each stronger than the one
//! before it:
//!
//! 1. the default, written in this crate beside its documentation;
//! 2. the file `config.toml` in the home;
//! 3. the environment: `MANGROVE_SECTION__KEY`;
//! 4. the command line: `--set section.key=value`, and the flags that name a setting.
//!
//! [`Sources::resolve`] puts the layers together and remembers where each value came from. It
//! reports everything that is wrong at once, each with its file and line, the key, and a hint.
//! Unknown keys are refused in every layer.
//!
//! The crate also holds where things lie in a home ([`paths`]) and the registry of failpoints
//! ([`failpoint`]), since every other crate can reach it. It is a leaf: it knows no other crate of
//! the house, starts nothing, and never talks to anybody.

pub mod address;
pub mod certificate;
pub mod document;
pub mod environment;
pub mod error;
pub mod failpoint;
pub mod feed;
pub mod file;
pub mod host;
pub mod identity;
pub mod log;
pub mod nearest;
pub mod network;
pub mod node;
pub mod origin;
pub mod paths;
pub mod peer;
pub mod replica;
pub mod section;
pub mod server;
pub mod setting;
pub mod sources;
pub mod store;

mod settings;

pub use environment::Environment;
pub use error::{Error, Place, Problem};
pub use paths::Home;
pub use settings::Settings;
pub use sources::{Override, Resolved, Sources};
