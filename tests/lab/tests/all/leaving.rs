//! Nothing is left of a lab, however it ends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

use camino::Utf8Path;
use mangrove_lab::{Conditions, Lab};
use parking_lot::Mutex;

use crate::probe::{self, Probe};

#[test]
fn nothing_is_left_behind_after_a_panic() {
    let Some(lab) = probe::lab() else { return };
    let (names, forgotten) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let [a, b] = ["a", "b"].map(|label| lab.namespace(label).unwrap());
        let _wire = lab.connect(&a, &b).unwrap();
        let _switch = lab.switch(&[&a, &b]).unwrap();
        let conditions = Conditions::default();
        let _link = lab.can_emulate().then(|| lab.emulate(&a, &b, conditions).unwrap());
        let _cut = lab.partition(&[&a], &[&b]).unwrap();
        let _probe = Probe::start(&a);
        forgotten.lock().push(a.command("sleep").arg("30").spawn().unwrap());
        names.lock().extend([a.name().to_owned(), b.name().to_owned()]);
        assert!(!listed(a.name()), "the panic that is wanted");
    }));
    assert!(outcome.is_err());
    let names = names.into_inner();
    assert_eq!(names.len(), 2);
    let ends = forgotten.into_inner().into_iter().map(|mut child| child.wait().unwrap());
    ends.for_each(|status| assert_eq!(status.code(), None, "it was not killed"));
    names.iter().for_each(|name| assert!(!listed(name), "{name}"));
}

#[test]
fn what_a_killed_test_has_left_is_removed_and_nothing_of_others() {
    if Lab::open().is_none() {
        return;
    }
    let mut dead = Command::new("true").spawn().unwrap();
    dead.wait().unwrap();
    let stale = format!("mgl-{}-0-stale", dead.id());
    let foreign = format!("mgx-{}-0-foreign", dead.id());
    [&stale, &foreign].iter().for_each(|name| netns(&["add", name]));
    let _lab = Lab::open().unwrap();
    let left = [&stale, &foreign].map(|name| listed(name));
    netns(&["delete", &foreign]);
    assert_eq!(left, [false, true]);
}

fn netns(arguments: &[&str]) {
    let mut ip = Command::new("ip");
    ip.env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin").arg("netns").args(arguments);
    let status = ip.status().unwrap();
    assert!(status.success(), "{arguments:?}");
}

fn listed(name: &str) -> bool {
    Utf8Path::new("/var/run/netns").join(name).exists()
}
