//! The texts made from the settings: the example file, the file of a new home, the reference page.
//!
//! Each is written from the one declaration of a setting, so that none can drift from another.

use crate::section::{Key, Section};
use crate::settings::Settings;

/// `config.example.toml`: every setting with its documentation and its default.
pub fn example() -> String {
    file(&Settings::default(), |_| true)
}

/// The `config.toml` of a new home: every setting documented, only those that differ from the
/// default in force, so that a later version may choose better defaults.
pub fn of_new_home(settings: &Settings) -> String {
    let defaults = Settings::default();
    let sections = defaults.sections();
    let default_of = |dotted: &str| {
        let (name, key) = dotted.split_once('.')?;
        sections.iter().find(|section| section.name() == name)?.get(key)
    };
    let current = settings.sections();
    file(settings, |dotted| {
        let (name, key) = dotted.split_once('.').unwrap_or_default();
        let value = current.iter().find(|section| section.name() == name).and_then(|s| s.get(key));
        value.map(|value| value.to_string()) != default_of(dotted).map(|value| value.to_string())
    })
}

fn file(settings: &Settings, in_force: impl Fn(&str) -> bool) -> String {
    let mut text = String::from(
        "# The configuration of a Mangrove node.\n\
         # Stronger than this file: the environment (MANGROVE_SECTION__KEY), then the command line.\n\
         # `mangrove config check` reads it without starting anything.\n",
    );
    for section in settings.sections() {
        text.push('\n');
        comment(&mut text, section.doc());
        text.push_str(&format!("[{}]\n", section.name()));
        for key in section.keys() {
            let mark =
                if in_force(&format!("{}.{}", section.name(), key.name)) { "" } else { "# " };
            comment(&mut text, key.doc);
            text.push_str(&format!("{mark}{} = {}\n", key.name, value(section, key)));
        }
    }
    text
}

fn comment(text: &mut String, doc: &[&str]) {
    for line in doc {
        text.push_str(&format!("# {}\n", line.trim()));
    }
}

fn value(section: &dyn Section, key: &Key) -> String {
    section.get(key.name).map(|value| value.to_string()).unwrap_or_default()
}

/// `docs/configuration.md`: the reference of all settings.
pub fn reference() -> String {
    let mut page = String::from(REFERENCE_INTRODUCTION);
    for section in Settings::default().sections() {
        let doc = prose(section.doc());
        page.push_str(&format!("\n## `[{}]`\n\n{doc}\n", section.name()));
        for key in section.keys() {
            page.push_str(&entry(section, key));
        }
    }
    page
}

fn entry(section: &dyn Section, key: &Key) -> String {
    let (name, default) = (section.name(), value(section, key));
    let variable = format!("MANGROVE_{}__{}", name.to_uppercase(), key.name.to_uppercase());
    let doc = prose(key.doc);
    let Key { name: key, expected, .. } = key;
    format!(
        "\n### `{name}.{key}`\n\n{doc}\n\n\
         - Expected: {expected}\n\
         - Default: `{default}`\n\
         - Environment: `{variable}`\n"
    )
}

fn prose(doc: &[&str]) -> String {
    doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join("\n")
}

const REFERENCE_INTRODUCTION: &str = "\
# Configuration

This page is made from the settings themselves; do not edit it by hand (`make doc` writes it).

A setting has one default, and four layers can say otherwise, the later the stronger:

1. the default, as listed here;
2. the file `config.toml` in the home (`mangrove config path` prints where);
3. the environment: `MANGROVE_SECTION__KEY`, such as `MANGROVE_LOG__FILTER=debug`;
4. the command line: `--set SECTION.KEY=VALUE`, and flags that name a setting.

Unknown keys are refused in every layer. In the environment and on the command line a value is bare
text; the items of a list stand between commas, or as a TOML array. An empty variable counts for a
text or a list (it sets it to nothing).

`mangrove config show` prints what is in force and where each value comes from,
`mangrove config check` finds everything that is wrong, and `mangrove config set KEY VALUE` changes
the file and keeps its comments. The node reads its configuration when it starts.
";
