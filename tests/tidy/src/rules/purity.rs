//! The protocol and its simulator are deterministic: everything from outside is an argument.

use crate::{File, Tree, Violation, scan, words};

const PURE: [&str; 2] = ["protocol/src", "tests/sim/src"];

/// Words that bring the outside in, each with the way that keeps it out.
const IMPURE: [(&str, &str); 20] = [
    ("Instant::now", TIME),
    ("SystemTime", TIME),
    ("std::time::Instant", TIME),
    ("std::thread", EDGE),
    ("std::fs", EDGE),
    ("std::net", EDGE),
    ("std::env", EDGE),
    ("thread::", EDGE),
    ("fs::", EDGE),
    ("net::", EDGE),
    ("env::", EDGE),
    ("tokio", EDGE),
    ("async fn", EDGE),
    (".await", EDGE),
    ("rand::", ENTROPY),
    ("getrandom", ENTROPY),
    ("thread_rng", ENTROPY),
    ("OsRng", ENTROPY),
    ("HashMap", "use a BTreeMap, whose order is the same at every node"),
    ("HashSet", "use a BTreeSet, whose order is the same at every node"),
];

const TIME: &str = "take the time as an argument";
const EDGE: &str = "return what is wanted, and let an edge package do it and come back with it";
const ENTROPY: &str = "take the entropy as an argument";

/// Pure code that names a clock, dice, a disk, a thread or an order that varies.
pub fn violations(tree: &Tree) -> Vec<Violation> {
    tree.rust().filter(|file| is_pure(file)).flat_map(of_file).collect()
}

fn is_pure(file: &File) -> bool {
    PURE.iter().any(|folder| file.path().starts_with(folder))
}

fn of_file(file: &File) -> Vec<Violation> {
    let mut found = Vec::new();
    for line in scan::lines(file.text()) {
        let impure = IMPURE.iter().filter(|(word, _)| words::contains(&line.code, word));
        found.extend(impure.map(|(word, instead)| Violation {
            rule: "purity",
            place: file.at(line.number),
            what: format!("names `{word}`"),
            instead: (*instead).to_owned(),
        }));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{IMPURE, violations};
    use crate::Tree;

    fn check(path: &str, text: &str, expect: usize) {
        assert_eq!(violations(&Tree::of(&[(path, text)])).len(), expect, "{path}: {text}");
    }

    #[test]
    fn every_impure_word_is_caught() {
        for (word, _) in IMPURE {
            let found = violations(&Tree::of(&[("protocol/src/log.rs", &format!("x({word} y)"))]));
            assert!(found.iter().any(|it| it.what.contains(word)), "{word}: {found:?}");
        }
    }

    #[test]
    fn impurity_in_tests_and_in_the_simulator_is_caught() {
        check("protocol/src/log.rs", "#[cfg(test)]\nmod tests { use std::fs; }", 1);
        check("tests/sim/src/world.rs", "let rng = rand::rng();", 1);
    }

    #[test]
    fn talk_of_impurity_is_not_caught() {
        check("protocol/src/log.rs", "//! No tokio, no HashMap.\nlet s = \"std::fs\";", 0);
    }

    #[test]
    fn pure_neighbours_are_not_caught() {
        check("protocol/src/log.rs", "use core::time::Duration;\nstrand::of(operand)", 0);
        check("protocol/src/log.rs", "use std::collections::BTreeMap;\nstd::format!(x)", 0);
    }

    #[test]
    fn edges_may_be_impure() {
        check("store/src/open.rs", "use std::fs;", 0);
        check("protocol/build.rs", "use std::env;", 0);
    }
}
