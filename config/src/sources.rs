//! The layers of a configuration, put together.

use std::collections::BTreeMap;

use toml_edit::{Document, Item, Key, TableLike, Value};

use crate::environment::Environment;
use crate::error::{Error, Place, Problem};
use crate::file::Source;
use crate::nearest::nearest;
use crate::section::Raw;
use crate::setting::Unfit;
use crate::settings::Settings;

/// One value from the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The flag as the user typed it.
    pub flag: String,
    /// The setting, as `section.key`.
    pub key: String,
    /// The value, as text.
    pub value: String,
}

/// Everything that can set a value, weakest first. The defaults are beneath them all.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The file, if there is one.
    pub file: Option<Source>,
    /// The environment.
    pub environment: Environment,
    /// The command line, in the order given; a later one wins.
    pub overrides: Vec<Override>,
}

impl Sources {
    /// The settings that follow, each with its place; or everything that is wrong.
    pub fn resolve(&self) -> Result<Resolved, Error> {
        let mut layering = Layering::default();
        if let Some(file) = &self.file {
            layering.file(file);
        }
        layering.environment(&self.environment);
        for given in &self.overrides {
            layering.text(Place::CommandLine(given.flag.clone()), &given.key, &given.value);
        }
        layering.finish()
    }
}

/// Settings, and where each of them comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// The settings.
    pub settings: Settings,
    places: BTreeMap<String, Place>,
}

impl Resolved {
    /// Where the setting `section.key` was given.
    pub fn place(&self, key: &str) -> &Place {
        self.places.get(key).unwrap_or(&Place::Default)
    }

    /// All settings as (`section.key`, value, place), in the order they are documented.
    pub fn rows(&self) -> Vec<(String, Value, &Place)> {
        let sections = self.settings.sections().into_iter();
        let rows = sections.flat_map(|section| {
            section.keys().iter().filter_map(move |key| {
                let name = format!("{}.{}", section.name(), key.name);
                let place = self.place(&name);
                Some((name, section.get(key.name)?, place))
            })
        });
        rows.collect()
    }
}

#[derive(Default)]
struct Layering {
    settings: Settings,
    places: BTreeMap<String, Place>,
    problems: Vec<Problem>,
}

impl Layering {
    fn file(&mut self, source: &Source) {
        let document = match Document::parse(source.text.as_str()) {
            Ok(document) => document,
            Err(error) => return self.problems.push(source.syntax(&error)),
        };
        for (section, item) in document.as_table() {
            match item.as_table_like() {
                Some(table) => self.table(source, section, table),
                None => self.stray(source, section, start(document.as_table(), section)),
            }
        }
    }

    fn table(&mut self, source: &Source, section: &str, table: &dyn TableLike) {
        if self.settings.section_mut(section).is_none() {
            let offset = table.iter().find_map(|(key, _)| start(table, key));
            let unknown = self.unknown_section(section);
            return self.problems.push(Problem { place: source.place(offset), ..unknown });
        }
        for (key, item) in table.iter() {
            let place = source.place(start(table, key));
            let dotted = format!("{section}.{key}");
            match item {
                Item::Value(value) => self.set(place, &dotted, Raw::Toml(value)),
                Item::None | Item::Table(_) | Item::ArrayOfTables(_) => {
                    let unfit = Unfit::new(format!("expected a value, found {}", item.type_name()));
                    self.problems.push(Problem::unfit(place, &dotted, unfit));
                }
            }
        }
    }

    /// A value outside every section.
    fn stray(&mut self, source: &Source, name: &str, offset: Option<usize>) {
        let mut problem = Problem::new(source.place(offset), format!("{name}: unknown key"));
        if self.settings.section_mut(name).is_some() {
            problem.what = format!("{name}: expected a section");
            problem = problem.hint(format!("write [{name}] on a line of its own"));
        } else if let Some(known) = self.nearest_key(name) {
            let (section, key) = known.split_once('.').unwrap_or_default();
            problem = problem.hint(format!("did you mean `{key}` in the section [{section}]?"));
        }
        self.problems.push(problem);
    }

    fn environment(&mut self, environment: &Environment) {
        for given in environment.settings() {
            let place = Place::Environment(given.variable.to_owned());
            let dotted = format!("{}.{}", given.section, given.key);
            match given.value {
                Ok(value) => self.text(place, &dotted, value),
                Err(problem) => self.problems.push(problem),
            }
        }
    }

    fn text(&mut self, place: Place, dotted: &str, value: &str) {
        self.set(place, dotted, Raw::Text(value));
    }

    fn set(&mut self, place: Place, dotted: &str, raw: Raw<'_>) {
        let (name, key) = dotted.split_once('.').unwrap_or((dotted, ""));
        let Some(section) = self.settings.section_mut(name) else {
            let unknown = self.unknown_section(name);
            return self.problems.push(Problem { place, ..unknown });
        };
        match section.set(key, raw) {
            Some(Ok(())) => {
                self.places.insert(dotted.to_owned(), place);
            }
            Some(Err(unfit)) => self.problems.push(Problem::unfit(place, dotted, unfit)),
            None => {
                let unfit = Unfit::new("unknown key");
                let hint = self.key_hint(dotted);
                self.problems.push(Problem::unfit(place, dotted, unfit.hint(hint)));
            }
        }
    }

    fn unknown_section(&self, name: &str) -> Problem {
        let names = self.settings.sections().map(|section| section.name());
        let problem = Problem::new(Place::Default, format!("[{name}]: unknown section"));
        match nearest(name, names) {
            Some(known) => problem.hint(format!("did you mean [{known}]?")),
            None => problem.hint(format!("sections are {}", names.join(", "))),
        }
    }

    fn key_hint(&self, dotted: &str) -> String {
        let (name, key) = dotted.split_once('.').unwrap_or((dotted, ""));
        let sections = self.settings.sections();
        let own = sections.iter().find(|section| section.name() == name);
        let own = own.map(|section| section.keys()).unwrap_or_default();
        if let Some(known) = nearest(key, own.iter().map(|key| key.name)) {
            return format!("did you mean `{name}.{known}`?");
        }
        match self.nearest_key(key) {
            Some(known) => format!("did you mean `{known}`?"),
            None => {
                let names = own.iter().map(|key| key.name).collect::<Vec<_>>();
                format!("keys of [{name}] are {}", names.join(", "))
            }
        }
    }

    /// The key nearest to `name` in any section, as `section.key`.
    fn nearest_key(&self, name: &str) -> Option<String> {
        let sections = self.settings.sections();
        let keys = sections
            .iter()
            .flat_map(|section| section.keys().iter().map(move |key| (section.name(), key.name)));
        let keys = keys.collect::<Vec<_>>();
        let best = nearest(name, keys.iter().map(|(_, key)| *key))?;
        let (section, key) = keys.iter().find(|(_, key)| *key == best)?;
        Some(format!("{section}.{key}"))
    }

    fn finish(mut self) -> Result<Resolved, Error> {
        let places = &self.places;
        let place = |key: &str| places.get(key).cloned().unwrap_or(Place::Default);
        let between = self.settings.validate();
        let between =
            between.into_iter().map(|(key, unfit)| Problem::unfit(place(key), key, unfit));
        self.problems.extend(between);
        match self.problems.is_empty() {
            true => Ok(Resolved { settings: self.settings, places: self.places }),
            false => Err(Error { problems: self.problems }),
        }
    }
}

/// Where a key begins in the text.
fn start(table: &dyn TableLike, key: &str) -> Option<usize> {
    let span = table.key(key).and_then(Key::span);
    let span = span.or_else(|| table.get(key).and_then(Item::span));
    span.map(|span| span.start)
}
