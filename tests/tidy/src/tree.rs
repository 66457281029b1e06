//! The files of the workspace, as git sees them or as a test makes them up.

use std::fs;
use std::io::ErrorKind;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};

use crate::Error;

/// The files of a workspace, sorted by path.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    files: Vec<File>,
}

impl Tree {
    /// Reads every file under `root` that git tracks or would track.
    pub fn load(root: &Utf8Path) -> Result<Self, Error> {
        let listing = listing(root)?;
        let mut files = Vec::new();
        for path in listing.split_terminator('\0') {
            files.extend(File::load(root, Utf8Path::new(path))?);
        }
        Ok(Self::sorted(files))
    }

    /// Makes a tree of the given paths and texts.
    pub fn of(files: &[(&str, &str)]) -> Self {
        Self::sorted(files.iter().map(|(path, text)| File::of(path, text)).collect())
    }

    /// Every file, sorted by path.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// The Rust sources.
    pub fn rust(&self) -> impl Iterator<Item = &File> {
        self.with_extension("rs")
    }

    /// The Markdown documents.
    pub fn markdown(&self) -> impl Iterator<Item = &File> {
        self.with_extension("md")
    }

    /// The file at `path`, if there is one.
    pub fn file(&self, path: &Utf8Path) -> Option<&File> {
        let at = self.files.binary_search_by(|file| file.path.as_path().cmp(path)).ok()?;
        self.files.get(at)
    }

    /// Whether `path` is a file of the tree or a folder with files in it.
    pub fn contains(&self, path: &Utf8Path) -> bool {
        self.files.iter().any(|file| file.path.starts_with(path))
    }

    fn with_extension(&self, extension: &str) -> impl Iterator<Item = &File> {
        self.files.iter().filter(move |file| file.path.extension() == Some(extension))
    }

    fn sorted(mut files: Vec<File>) -> Self {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files.dedup_by(|a, b| a.path == b.path);
        Self { files }
    }
}

/// One file of a [`Tree`].
#[derive(Clone, Debug)]
pub struct File {
    path: Utf8PathBuf,
    bytes: u64,
    text: Option<String>,
}

impl File {
    /// Where the file is, relative to the workspace.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// How many bytes the file has on disk.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What the file says; nothing, for a binary file or a symbolic link.
    pub fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    /// The file's lines, numbered from one.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text().lines())
    }

    /// A line of the file, the way editors and terminals like it: `path:line`.
    pub fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path)
    }

    fn of(path: &str, text: &str) -> Self {
        Self { path: path.into(), bytes: text.len() as u64, text: Some(text.to_owned()) }
    }

    /// Reads a file; `None` if it was deleted and git does not know yet.
    fn load(root: &Utf8Path, path: &Utf8Path) -> Result<Option<Self>, Error> {
        match read(&root.join(path)) {
            Ok((bytes, text)) => Ok(Some(Self { path: path.to_owned(), bytes, text })),
            Err(source) if source.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Read { path: path.to_owned(), source }),
        }
    }
}

fn read(path: &Utf8Path) -> std::io::Result<(u64, Option<String>)> {
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_file() {
        return Ok((metadata.len(), None));
    }
    let text = String::from_utf8(fs::read(path)?).ok().filter(|text| !text.contains('\0'));
    Ok((metadata.len(), text))
}

fn listing(root: &Utf8Path) -> Result<String, Error> {
    let program = || "git ls-files".to_owned();
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .map_err(|source| Error::Start { program: program(), source })?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Error::Failed { program: program(), complaint });
    }
    String::from_utf8(output.stdout).map_err(|_| Error::NotUtf8 { program: program() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, content) in files {
            fs::write(folder.path().join(path), content).unwrap();
        }
        let git = Command::new("git").args(["init", "-q"]).current_dir(&folder).status();
        assert!(git.unwrap().success());
        folder
    }

    fn paths(tree: &Tree) -> Vec<&str> {
        tree.files().iter().map(|file| file.path().as_str()).collect()
    }

    #[test]
    fn loading_sees_untracked_files_and_skips_ignored_and_deleted_ones() {
        let folder = repository(&[
            ("seen.rs", b"//! Seen."),
            ("ignored.rs", b"//! Ignored."),
            ("deleted.rs", b"//! Deleted."),
            (".gitignore", b"ignored.rs"),
        ]);
        let root = Utf8Path::from_path(folder.path()).unwrap();
        let git = Command::new("git").args(["add", "deleted.rs"]).current_dir(root).status();
        assert!(git.unwrap().success());
        fs::remove_file(root.join("deleted.rs")).unwrap();

        assert_eq!(paths(&Tree::load(root).unwrap()), [".gitignore", "seen.rs"]);
    }

    #[test]
    fn a_binary_file_is_in_the_tree_but_says_nothing() {
        let folder = repository(&[("logo.png", b"\x89PNG\0\0")]);
        let tree = Tree::load(Utf8Path::from_path(folder.path()).unwrap()).unwrap();
        let logo = tree.file("logo.png".into()).unwrap();
        assert_eq!((logo.bytes(), logo.text()), (6, ""));
    }

    #[test]
    fn outside_a_repository_git_tells_why_nothing_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let loaded = Tree::load(Utf8Path::from_path(folder.path()).unwrap());
        assert!(matches!(loaded, Err(Error::Failed { complaint, .. }) if !complaint.is_empty()));
    }

    #[test]
    fn a_folder_is_contained_but_a_prefix_of_a_name_is_not() {
        let tree = Tree::of(&[("docs/cli.md", "")]);
        assert!(tree.contains("docs".into()));
        assert!(tree.contains("docs/cli.md".into()));
        assert!(!tree.contains("docs/cl".into()));
    }
}
