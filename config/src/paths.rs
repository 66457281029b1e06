//! Where things lie in a home.

use camino::{Utf8Path, Utf8PathBuf};

use crate::environment::Environment;
use crate::error::{Place, Problem};

/// The folder of one node.
///
/// ```text
/// HOME/               0700
///   home.toml         0600  format of this home, and who made it
///   config.toml       0600  settings
///   node.key          0600  the node's identity (sealed in an encrypted home)
///   data.key          0600  the wrapped data key (encrypted homes only)
///   api.token         0600  the admin token of the API
///   store/                  the database
///   run/                    what exists only while the node runs
///     node.json             {pid, api, peer}
///     diag.socket           diagnostics
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    root: Utf8PathBuf,
}

impl Home {
    /// The home at this folder, whether or not it exists. A relative path is taken from `current`.
    pub fn at(root: &Utf8Path, current: &Utf8Path) -> Self {
        Self { root: current.join(root) }
    }

    /// The home that is meant when none is named: `$MANGROVE_HOME`, else `mangrove` in the XDG
    /// data folder.
    pub fn locate(environment: &Environment, current: &Utf8Path) -> Result<Self, Problem> {
        if let Some(home) = environment.get("MANGROVE_HOME")? {
            return Ok(Self::at(Utf8Path::new(home), current));
        }
        // The XDG specification wants relative paths ignored.
        let absolute = |path: &&str| Utf8Path::new(path).is_absolute();
        if let Some(data) = environment.get("XDG_DATA_HOME")?.filter(absolute) {
            return Ok(Self { root: Utf8Path::new(data).join("mangrove") });
        }
        match environment.get("HOME")? {
            Some(user) => Ok(Self { root: Utf8Path::new(user).join(".local/share/mangrove") }),
            None => Err(Problem::new(Place::Environment("HOME".to_owned()), "not set")
                .hint("name the home: --home DIR, or MANGROVE_HOME")),
        }
    }

    /// The folder itself.
    pub fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// The file that makes a folder a home, and says in which format.
    pub fn format_file(&self) -> Utf8PathBuf {
        self.root.join("home.toml")
    }

    /// The settings.
    pub fn config_file(&self) -> Utf8PathBuf {
        self.root.join("config.toml")
    }

    /// The node's identity.
    pub fn key_file(&self) -> Utf8PathBuf {
        self.root.join("node.key")
    }

    /// The wrapped data key.
    pub fn data_key_file(&self) -> Utf8PathBuf {
        self.root.join("data.key")
    }

    /// The admin token.
    pub fn token_file(&self) -> Utf8PathBuf {
        self.root.join("api.token")
    }

    /// The other tokens, as hashes.
    pub fn tokens_file(&self) -> Utf8PathBuf {
        self.root.join("tokens.json")
    }

    /// The database.
    pub fn store_folder(&self) -> Utf8PathBuf {
        self.root.join("store")
    }

    /// Where peers were met. Lost without harm.
    pub fn peers_file(&self) -> Utf8PathBuf {
        self.root.join("peers.json")
    }

    /// The peers that are banned.
    pub fn bans_file(&self) -> Utf8PathBuf {
        self.root.join("bans.json")
    }

    /// What exists only while the node runs.
    pub fn run_folder(&self) -> Utf8PathBuf {
        self.root.join("run")
    }

    /// How clients find the running node.
    pub fn node_file(&self) -> Utf8PathBuf {
        self.run_folder().join("node.json")
    }

    /// Where the running node is asked how it is.
    pub fn diagnostics_socket(&self) -> Utf8PathBuf {
        self.run_folder().join("diag.socket")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(variables: &[(&str, &str)], expect: Result<&str, &str>) {
        let environment = variables.iter().copied().collect();
        let found = Home::locate(&environment, Utf8Path::new("/cwd"));
        let found = found.as_ref().map(|home| home.root().as_str());
        assert_eq!(found.map_err(|problem| problem.what.as_str()), expect);
    }

    #[test]
    fn the_home_is_the_first_that_is_named() {
        let all = [("MANGROVE_HOME", "/m"), ("XDG_DATA_HOME", "/x"), ("HOME", "/h")];
        check(&all, Ok("/m"));
        check(&all[1..], Ok("/x/mangrove"));
        check(&all[2..], Ok("/h/.local/share/mangrove"));
        check(&[("MANGROVE_HOME", "m")], Ok("/cwd/m"));
        check(&[("XDG_DATA_HOME", "relative"), ("HOME", "/h")], Ok("/h/.local/share/mangrove"));
        check(&[("MANGROVE_HOME", ""), ("HOME", "/h")], Ok("/h/.local/share/mangrove"));
        check(&[], Err("not set"));
    }
}
