//! What commands printed, a page for each, and how it is held against what is kept.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};

use super::names::{Known, Names};
use crate::run::{Place, Run};

/// Lines of a difference that are shown of each side.
const SHOWN: usize = 30;

/// Lines that are shown before a difference.
const BEFORE: usize = 4;

/// For whom a command is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// For a person.
    Text,
    /// For a program.
    Json,
    /// For a person, and again for a program.
    Both,
}

/// A command to run: its words with one space between them, and names of words in braces.
pub(super) type Row<'r> = (Form, &'r str);

/// The pages of one world.
pub(super) struct Book<'p> {
    place: &'p Place,
    grammar: clap::Command,
    words: BTreeMap<&'static str, String>,
    entries: Vec<Entry>,
}

/// What one command printed.
struct Entry {
    page: String,
    form: Form,
    line: String,
    run: Run,
}

/// Where the page of a command is kept.
pub(super) fn path(page: &str) -> Utf8PathBuf {
    Utf8Path::new("tests/snapshots").join(format!("{page}.txt"))
}

/// Whether pages are to be written instead of compared.
pub(super) fn is_blessing() -> bool {
    std::env::var_os("MANGROVE_BLESS").is_some()
}

impl<'p> Book<'p> {
    pub(super) fn new(place: &'p Place) -> Self {
        let grammar = mangrove_cli::command();
        Self { place, grammar, words: BTreeMap::new(), entries: Vec::new() }
    }

    /// Calls a word so in rows that come later.
    pub(super) fn call(&mut self, name: &'static str, word: &str) {
        self.words.insert(name, word.to_owned());
    }

    /// Runs commands one after the other, in the home `X` if they name none.
    pub(super) fn rows(&mut self, rows: &[Row<'_>]) {
        for (form, row) in rows {
            for form in form.each() {
                let output = self.command(*form, row).output().unwrap();
                self.add((*form, row), Run::from(output));
            }
        }
    }

    /// The command of a row.
    pub(super) fn command(&self, form: Form, row: &str) -> Command {
        let line = self.filled(row);
        let mut command = self.place.command();
        command.args(line.split(' '));
        if !line.contains("--home") {
            command.args(["--home", "X"]);
        }
        if form == Form::Json {
            command.arg("--json");
        }
        command
    }

    /// Notes down what a command printed that was run elsewhere.
    pub(super) fn add(&mut self, (form, row): Row<'_>, run: Run) {
        let line = self.filled(row);
        self.entries.push(Entry { page: self.page_of(&line), form, line, run });
    }

    /// Every page is the one that is kept. When blessing, it becomes that.
    #[track_caller]
    pub(super) fn check(&self) {
        let pages = self.pages();
        if is_blessing() {
            for (name, page) in &pages {
                let path = path(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, page).unwrap();
            }
        }
        let wrong = pages.iter().filter_map(|(name, page)| difference(name, page));
        let wrong = wrong.collect::<String>();
        assert!(
            wrong.is_empty(),
            "{wrong}\nIf it is meant: MANGROVE_BLESS=1 cargo nextest run --package mangrove-cli snapshots::"
        );
    }

    fn pages(&self) -> BTreeMap<&str, String> {
        let texts = self.entries.iter().flat_map(Entry::texts);
        let known = Known::of(self.place.path("").as_str(), texts);
        let mut pages = BTreeMap::new();
        for entry in &self.entries {
            let fresh = || (Names::new(&known, &entry.page), String::new());
            let (names, page) = pages.entry(entry.page.as_str()).or_insert_with(fresh);
            if !page.is_empty() {
                page.push('\n');
            }
            page.push_str(&entry.shown(names));
        }
        pages.into_iter().map(|(name, (_, page))| (name, page)).collect()
    }

    fn filled(&self, row: &str) -> String {
        let words = self.words.iter();
        words.fold(row.to_owned(), |row, (name, word)| row.replace(&format!("{{{name}}}"), word))
    }

    /// The page of the command that a line begins with: its words, with dashes between them.
    fn page_of(&self, line: &str) -> String {
        let (mut command, mut names) = (&self.grammar, Vec::new());
        for word in line.split(' ') {
            let Some(below) = command.find_subcommand(word) else { break };
            names.push(below.get_name());
            command = below;
        }
        names.join("-")
    }
}

impl Form {
    const fn each(self) -> &'static [Self] {
        match self {
            Self::Text => &[Self::Text],
            Self::Json => &[Self::Json],
            Self::Both => &[Self::Text, Self::Json],
        }
    }
}

impl Entry {
    /// All in which names of things may stand that differ from run to run.
    fn texts(&self) -> [&str; 3] {
        [&self.line, &self.run.stdout, &self.run.stderr]
    }

    fn shown(&self, names: &mut Names<'_>) -> String {
        let Self { form, line, run, .. } = self;
        let line = names.text(line);
        let (flag, stdout) = match form {
            Form::Json => (" --json", names.documents(&run.stdout)),
            Form::Text | Form::Both => ("", names.answer(&run.stdout)),
        };
        let stderr = names.lines(&run.stderr);
        let stderr =
            stderr.lines().map(|line| format!("stderr: {line}").trim_end().to_owned() + "\n");
        let stderr = stderr.collect::<String>();
        let end = match (run.code, run.signal) {
            (Some(code), _) => format!("exit {code}"),
            (None, signal) => format!("signal {}", signal.unwrap_or_default()),
        };
        format!("$ mangrove {line}{flag}\n{stdout}{stderr}{end}\n")
    }
}

/// How a page differs from the one that is kept, if it does.
fn difference(name: &str, page: &str) -> Option<String> {
    let path = path(name);
    let kept = fs::read_to_string(&path).unwrap_or_default();
    if kept == page {
        return None;
    }
    let (old, new) = (kept.lines().collect::<Vec<_>>(), page.lines().collect::<Vec<_>>());
    let same = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let ends = old.iter().rev().zip(new.iter().rev());
    let most = old.len().min(new.len()) - same;
    let rest = ends.take(most).take_while(|(old, new)| old == new).count();
    let mut text = format!("\n{path}, from line {}:\n", same + 1);
    let mut side = |mark: char, lines: &[&str], from: usize, to: usize| {
        let shown = lines.iter().take(to).skip(from);
        text.extend(shown.take(SHOWN).map(|line| format!("{mark} {line}\n")));
        let more = to.saturating_sub(from + SHOWN);
        if more > 0 {
            text.push_str(&format!("{mark} and {more} more lines\n"));
        }
    };
    side(' ', &old, same.saturating_sub(BEFORE), same);
    side('-', &old, same, old.len() - rest);
    side('+', &new, same, new.len() - rest);
    Some(text)
}

#[test]
fn a_difference_is_told_with_what_stands_before_it() {
    // There is no such page, so all of it is new.
    let told = difference("no-such-page", "$ mangrove dance\nexit 0\n").unwrap();
    assert!(
        told.contains("no-such-page.txt, from line 1:\n+ $ mangrove dance\n+ exit 0\n"),
        "{told}"
    );
}
