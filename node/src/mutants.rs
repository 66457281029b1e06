//! The table of what the runtime promises: in docs/runtime.md it is what `mutants.toml` says, and each mutation can
//! still be planted.

use std::fs;

use camino::Utf8Path;
use toml_edit::{DocumentMut, Table};

const BEGIN: &str = "| line | what holds | shown by | turned red by |\n|---|---|---|---|\n";

fn field<'a>(mutant: &'a Table, name: &str) -> &'a str {
    mutant.get(name).and_then(|it| it.as_str()).unwrap_or_else(|| panic!("{name} is missing"))
}

fn row(mutant: &Table) -> String {
    let [line, promise, test, mutation] =
        ["line", "promise", "test", "mutation"].map(|name| field(mutant, name));
    let (package, test) = test.split_once(' ').unwrap();
    let room = package.strip_prefix("mangrove-").unwrap();
    format!("| {line} | {promise} | `{room}` `{test}` | {mutation} |\n")
}

#[test]
fn documents_what_was_promised_is_what_is_planted() {
    let text = fs::read_to_string("mutants.toml").unwrap().parse::<DocumentMut>().unwrap();
    let mutants = text["mutant"].as_array_of_tables().unwrap();
    let table = mutants.iter().map(row).collect::<String>();
    let path = Utf8Path::new("../docs/runtime.md");
    let page = fs::read_to_string(path).unwrap();
    let (before, _) = page.split_once(BEGIN).unwrap();
    let fresh = format!("{before}{BEGIN}{table}");
    if std::env::var_os("MANGROVE_BLESS").is_some() {
        fs::write(path, &fresh).unwrap();
    } else {
        assert!(page == fresh, "{path} is out of date: run `make doc`");
    }
}

#[test]
fn each_mutation_can_still_be_planted() {
    let text = fs::read_to_string("mutants.toml").unwrap().parse::<DocumentMut>().unwrap();
    for mutant in text["mutant"].as_array_of_tables().unwrap() {
        let (file, from) = (field(mutant, "file"), field(mutant, "from"));
        let source = fs::read_to_string(Utf8Path::new("..").join(file)).unwrap();
        assert_eq!(source.matches(from).count(), 1, "{file}: {from}");
        assert_ne!(from, field(mutant, "to"));
        let (_, test) = field(mutant, "test").rsplit_once("::").unwrap();
        let package = Utf8Path::new("..").join(file.split('/').next().unwrap());
        let known = [package.as_path(), Utf8Path::new("."), Utf8Path::new("../cli")];
        let is_there = known.iter().any(|folder| has(folder, &format!("fn {test}(")));
        assert!(is_there, "there is no test {test}");
    }
}

/// Whether a Rust file below a folder says this.
fn has(folder: &Utf8Path, text: &str) -> bool {
    folder.read_dir_utf8().unwrap().map(|entry| entry.unwrap().into_path()).any(|path| {
        let is_rust = path.extension() == Some("rs");
        path.is_dir() && has(&path, text)
            || is_rust && fs::read_to_string(&path).unwrap().contains(text)
    })
}
