//! No call drops messages, queues without bound or stands for code that is not there.

use crate::{File, Tree, Violation, scan, words};

const BANNED: [(&str, &str); 5] = [
    ("do_send(", "post on a bounded inbox, and answer for its being full"),
    ("unbounded_channel", "use a bounded channel, and answer for its being full"),
    ("todo!(", "write it, or leave it out"),
    ("unimplemented!(", "write it, or leave it out"),
    ("dbg!(", "take it out, or trace it if it is worth keeping"),
];

/// Calls that the house bans, in tests too.
pub fn violations(tree: &Tree) -> Vec<Violation> {
    tree.rust().flat_map(of_file).collect()
}

fn of_file(file: &File) -> Vec<Violation> {
    let mut found = Vec::new();
    for line in scan::lines(file.text()) {
        let banned = BANNED.iter().filter(|(call, _)| words::contains(&line.code, call));
        found.extend(banned.map(|(call, instead)| Violation {
            rule: "calls",
            place: file.at(line.number),
            what: format!("calls `{}`", call.trim_end_matches('(')),
            instead: (*instead).to_owned(),
        }));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{BANNED, violations};
    use crate::Tree;

    fn check(text: &str, expect: usize) {
        assert_eq!(violations(&Tree::of(&[("a.rs", text)])).len(), expect, "{text}");
    }

    #[test]
    fn every_banned_call_is_caught() {
        for (call, _) in BANNED {
            check(&format!("x.{call} y)"), 1);
        }
    }

    #[test]
    fn a_neighbour_of_a_banned_call_is_not_caught() {
        check("x.undo_send(y); my_dbg!(z); let todo = channel(8);", 0);
        check("// dbg!(x)\nlet s = \"todo!()\";", 0);
    }
}
