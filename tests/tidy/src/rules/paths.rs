//! No file knows the machine that it was written on.

use crate::{File, Tree, Violation, words};

/// This package has to spell what it looks for.
pub(super) const SELF: &str = "tests/tidy";

const PRIVATE: [&str; 2] = ["/work/", "/root/"];

/// Homes that documents and images may speak of: the reader's and the one a node runs in.
const EXAMPLES: [&str; 2] = ["you", "mangrove"];

/// Files that speak of a folder of their author's machine.
pub fn violations(tree: &Tree) -> Vec<Violation> {
    let checked = tree.files().iter().filter(|file| !file.path().starts_with(SELF));
    checked.flat_map(of_file).collect()
}

fn of_file(file: &File) -> Vec<Violation> {
    let found = file.lines().filter_map(|(number, line)| Some((number, private_path(line)?)));
    found
        .map(|(number, path)| Violation {
            rule: "paths",
            place: file.at(number),
            what: format!("speaks of `{path}`"),
            instead: "use a path relative to the repository, or `/home/you/` in an example"
                .to_owned(),
        })
        .collect()
}

fn private_path(line: &str) -> Option<String> {
    let private = PRIVATE.iter().find(|folder| !absolute(line, folder).is_empty());
    let homes = absolute(line, "/home/").into_iter().filter_map(home);
    let home = || homes.map(|name| format!("/home/{name}/")).next();
    private.map(|folder| (*folder).to_owned()).or_else(home)
}

/// What follows each `folder` that begins a path, and is not a folder deeper down in one.
fn absolute<'a>(line: &'a str, folder: &str) -> Vec<&'a str> {
    let begins = |at| {
        let deeper = |c| words::is_word(c) || ".-~*/$})]>%".contains(c);
        let after_scheme = line.get(..at).is_some_and(|before| before.ends_with("://"));
        after_scheme || !words::around(line, at, 0).0.is_some_and(deeper)
    };
    let found = line.match_indices(folder).filter(|(at, _)| begins(*at));
    found.filter_map(|(at, _)| line.get(at + folder.len()..)).collect()
}

fn home(after: &str) -> Option<&str> {
    let (name, _) = after.split_once('/')?;
    let is_name = name.chars().all(|c| words::is_word(c) || matches!(c, '.' | '-'));
    Some(name).filter(|name| !name.is_empty() && is_name && !EXAMPLES.contains(name))
}

#[cfg(test)]
mod tests {
    use super::violations;
    use crate::Tree;

    fn check(text: &str, expect: usize) {
        assert_eq!(violations(&Tree::of(&[("a.txt", text)])).len(), expect, "{text}");
    }

    #[test]
    fn a_path_of_the_authors_machine_is_caught() {
        check("cd /work/main", 1);
        check("PATH=/root/.cargo/bin", 1);
        check("\"/home/jo-ann/src\"", 1);
        check("file:///root/x and /work/y", 1);
        check("/home/you/x or /home/jo/x", 1);
    }

    #[test]
    fn a_path_that_is_no_machines_is_not_caught() {
        check("/home/you/.mangrove and /home/mangrove/data", 0);
        check("target/work/x, ./root/x, ~/work/x, $HOME/work/x, {root}/work/x", 0);
        check("/home/, /home/$USER/x, /home/<name>/x, https://work/root", 0);
        check("/worker/, /rooted/", 0);
    }

    #[test]
    fn the_rule_may_spell_itself() {
        assert_eq!(violations(&Tree::of(&[("tests/tidy/src/x.rs", "/work/")])), []);
    }
}
