//! The packages of the workspace and the arrows between them.

use std::process::Command;

use camino::Utf8Path;
use serde_json::Value;

use crate::Error;

/// The packages of a workspace.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    packages: Vec<Package>,
}

/// A package of the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its name, such as `mangrove-store`.
    pub name: String,
    /// Everything that its manifest names, for every target and kind.
    pub dependencies: Vec<Dependency>,
}

/// A line of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The package depended upon, whatever the manifest renames it to.
    pub name: String,
    /// What it is needed for.
    pub kind: Kind,
}

/// What a dependency is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The code itself.
    Normal,
    /// The build script.
    Build,
    /// Tests, examples and benchmarks.
    Development,
}

impl Graph {
    /// Asks cargo for the packages of the workspace at `root`.
    pub fn load(root: &Utf8Path) -> Result<Self, Error> {
        Self::parse(&metadata(root)?)
    }

    /// Reads the answer of `cargo metadata`.
    pub fn parse(json: &str) -> Result<Self, Error> {
        let metadata: Value = serde_json::from_str(json)?;
        let packages = list(&metadata, "packages")?;
        Ok(Self { packages: packages.iter().map(package).collect::<Result<_, _>>()? })
    }

    /// Makes a graph of the given packages and dependencies.
    pub fn of(packages: &[(&str, &[(&str, Kind)])]) -> Self {
        let package = |(name, dependencies): &(&str, &[(&str, Kind)])| Package {
            name: (*name).to_owned(),
            dependencies: dependencies
                .iter()
                .map(|(name, kind)| Dependency { name: (*name).to_owned(), kind: *kind })
                .collect(),
        };
        Self { packages: packages.iter().map(package).collect() }
    }

    /// Every package, in cargo's order.
    pub fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// Whether a package of this name belongs to the workspace.
    pub fn contains(&self, name: &str) -> bool {
        self.packages.iter().any(|package| package.name == name)
    }
}

fn metadata(root: &Utf8Path) -> Result<String, Error> {
    let program = || "cargo metadata".to_owned();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root)
        .output()
        .map_err(|source| Error::Start { program: program(), source })?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Error::Failed { program: program(), complaint });
    }
    String::from_utf8(output.stdout).map_err(|_| Error::NotUtf8 { program: program() })
}

fn package(value: &Value) -> Result<Package, Error> {
    let dependencies = list(value, "dependencies")?;
    Ok(Package {
        name: name(value)?,
        dependencies: dependencies.iter().map(dependency).collect::<Result<_, _>>()?,
    })
}

fn dependency(value: &Value) -> Result<Dependency, Error> {
    let kind = match value.get("kind").and_then(Value::as_str) {
        Some("build") => Kind::Build,
        Some("dev") => Kind::Development,
        _ => Kind::Normal,
    };
    Ok(Dependency { name: name(value)?, kind })
}

fn name(value: &Value) -> Result<String, Error> {
    let name = value.get("name").and_then(Value::as_str).ok_or(Error::Missing("name"))?;
    Ok(name.to_owned())
}

fn list<'a>(value: &'a Value, field: &'static str) -> Result<&'a [Value], Error> {
    let list = value.get(field).and_then(Value::as_array).ok_or(Error::Missing(field))?;
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_keep_their_kind_and_their_true_name() {
        let graph = Graph::parse(
            r#"{"packages": [{"name": "mangrove-store", "dependencies": [
                {"name": "rocksdb", "kind": null, "rename": "stones"},
                {"name": "cc", "kind": "build"},
                {"name": "tempfile", "kind": "dev"}
            ]}]}"#,
        );
        let expected = Graph::of(&[(
            "mangrove-store",
            &[("rocksdb", Kind::Normal), ("cc", Kind::Build), ("tempfile", Kind::Development)],
        )]);
        assert_eq!(graph.unwrap().packages(), expected.packages());
    }

    #[test]
    fn an_answer_without_packages_is_an_error_and_not_an_empty_workspace() {
        assert!(matches!(Graph::parse("{}"), Err(Error::Missing("packages"))));
    }
}
