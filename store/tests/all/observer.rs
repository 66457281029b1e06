//! Somebody outside who sees what a process has synced, and can make that fail.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};

/// Sees what a process has synced.
pub(crate) struct Observer {
    folder: tempfile::TempDir,
}

impl Observer {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/all/observer.c");
        let observer = Self { folder };
        let library = observer.path("observer.so");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o", library.as_str(), source, "-ldl"])
            .status();
        assert!(built.unwrap().success(), "the observer does not compile");
        observer
    }

    fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8Path::from_path(self.folder.path()).unwrap().join(name)
    }

    /// Has it stand beside a process that is to be started.
    pub(crate) fn watch(&self, command: &mut Command) {
        command.env("LD_PRELOAD", self.path("observer.so"));
        command.env("OBSERVER_LOG", self.path("log")).env("OBSERVER_FAIL", self.path("fail"));
    }

    /// From now on every sync fails.
    pub(crate) fn fail(&self) {
        fs::write(self.path("fail"), "").unwrap();
    }

    /// How much of each file has been synced.
    fn synced(&self) -> BTreeMap<Utf8PathBuf, u64> {
        let mut synced = BTreeMap::new();
        for line in fs::read_to_string(self.path("log")).unwrap().lines() {
            let (bytes, path) = line.split_once(' ').unwrap();
            let most = synced.entry(path.into()).or_insert(0);
            *most = bytes.parse::<u64>().unwrap().max(*most);
        }
        synced
    }

    /// A folder as a power loss leaves it: of the files in which data lies, what was synced.
    pub(crate) fn after_power_loss(&self, folder: &Utf8Path, to: &Utf8Path) -> u64 {
        let (synced, mut lost) = (self.synced(), 0);
        fs::create_dir_all(to).unwrap();
        for entry in folder.read_dir_utf8().unwrap() {
            let entry = entry.unwrap();
            let (from, to) = (entry.path(), to.join(entry.file_name()));
            fs::copy(from, &to).unwrap();
            let kinds = ["log", "sst", "blob"];
            let holds_data = from.extension().is_some_and(|kind| kinds.contains(&kind))
                || entry.file_name().starts_with("MANIFEST");
            if holds_data {
                let file = fs::OpenOptions::new().write(true).open(&to).unwrap();
                let (there, kept) = (file.metadata().unwrap().len(), synced.get(from).copied());
                let kept = kept.unwrap_or_default().min(there);
                file.set_len(kept).unwrap();
                lost += there - kept;
            }
        }
        lost
    }
}
