//! The generated texts are what the settings say. `make doc` writes them anew.

use camino::Utf8Path;
use mangrove_config::file::Source;
use mangrove_config::{Settings, Sources, document};

/// The file at `path` holds `expect`. With `MANGROVE_BLESS` set, it is written first.
fn check(path: &str, expect: &str) {
    let path = Utf8Path::new(path);
    if std::env::var_os("MANGROVE_BLESS").is_some() {
        std::fs::write(path, expect).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(found == expect, "{path} is out of date: run `make doc`");
}

#[test]
fn the_example_file_is_the_defaults() {
    check("config.example.toml", &document::example());
    let path = Utf8Path::new("config.example.toml");
    let sources = Sources { file: Source::read(path).unwrap(), ..Sources::default() };
    let resolved = sources.resolve().unwrap();
    assert_eq!(resolved.settings, Settings::default());
    // Every key stands in the file itself, so that nothing equals its default by absence.
    for (key, _, place) in resolved.rows() {
        assert!(place.to_string().contains("config.example.toml:"), "{key}: {place}");
    }
}

#[test]
fn the_reference_page_lists_every_setting() {
    check("../docs/configuration.md", &document::reference());
}
