//! Failpoints: named places where a test may make the product fail.
//!
//! A place asks [`Failpoints::fire`] whether it should fail and how; a test, the environment
//! variable `MANGROVE_FAILPOINTS` or the diagnostics socket says so with a [`Spec`]:
//!
//! ```text
//! key(,sub:X|,p:F|,once)*(=value)?        several: one after another, between semicolons
//! ```
//!
//! `sub:X` restricts it to one subject (a context, a peer), `p:F` lets it fire with that
//! probability, `once` only the first time. Without `=value` the failpoint is cleared. Release
//! builds hold none: there nothing can be set and nothing ever fires.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::OnceLock;

use crate::setting::{Text, Unfit};

#[cfg(debug_assertions)]
pub use armed::Failpoints;
#[cfg(not(debug_assertions))]
pub use disarmed::Failpoints;

impl Text for Spec {
    const EXPECTED: &'static str = "a failpoint: key(,sub:X|,p:F|,once)*(=value)?";

    fn parse(text: &str) -> Result<Self, Unfit> {
        text.parse().map_err(|why: Error| Unfit::new(why.to_string()))
    }

    fn print(&self) -> String {
        self.to_string()
    }
}

/// What to do at a failpoint, or to stop doing.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    key: String,
    sub: Option<String>,
    probability: f64,
    once: bool,
    value: Option<String>,
}

/// Why a failpoint was not set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The spec begins without a key.
    #[error("a failpoint needs a key: key(,sub:X|,p:F|,once)*(=value)?")]
    NoKey,
    /// Something other than `sub:X`, `p:F` or `once`.
    #[error("`{0}` is none of sub:X, p:F, once")]
    UnknownMeta(String),
    /// A probability that is not a number.
    #[error("`{0}` is not a probability: a number from 0 to 1")]
    Probability(String),
    /// A release build.
    #[error("this is a release build; failpoints exist only in debug builds")]
    Release,
}

impl FromStr for Spec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (head, value) = match text.split_once('=') {
            Some((head, value)) => (head, Some(value.to_owned())),
            None => (text, None),
        };
        let mut parts = head.split(',').map(str::trim);
        let key = parts.next().filter(|key| !key.is_empty()).ok_or(Error::NoKey)?;
        let mut spec =
            Self { key: key.to_owned(), sub: None, probability: 1.0, once: false, value };
        for part in parts {
            match part.split_once(':') {
                Some(("sub", subject)) => spec.sub = Some(subject.to_owned()),
                Some(("p", number)) => spec.probability = parse_probability(number)?,
                None if part == "once" => spec.once = true,
                _ => return Err(Error::UnknownMeta(part.to_owned())),
            }
        }
        Ok(spec)
    }
}

/// Out of range is brought into it; what is no number at all never fires.
fn parse_probability(text: &str) -> Result<f64, Error> {
    let number = text.parse::<f64>().map_err(|_| Error::Probability(text.to_owned()))?;
    Ok(if number.is_nan() { 0.0 } else { number.clamp(0.0, 1.0) })
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        if let Some(subject) = &self.sub {
            write!(f, ",sub:{subject}")?;
        }
        if self.probability < 1.0 {
            write!(f, ",p:{}", self.probability)?;
        }
        if self.once {
            f.write_str(",once")?;
        }
        match &self.value {
            Some(value) => write!(f, "={value}"),
            None => Ok(()),
        }
    }
}

/// A way to fail that every place of I/O knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Ends the process at once, as a kill would: nothing is flushed, no destructor runs.
    Abort,
    /// Panics.
    Panic,
    /// Reports an I/O error.
    Error,
}

impl FromStr for Action {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "abort" => Ok(Self::Abort),
            "panic" => Ok(Self::Panic),
            "error" => Ok(Self::Error),
            _ => Err(()),
        }
    }
}

/// The failpoints of this process.
pub fn global() -> &'static Failpoints {
    static FAILPOINTS: OnceLock<Failpoints> = OnceLock::new();
    FAILPOINTS.get_or_init(|| Failpoints::new(0))
}

/// A step of I/O that the failpoint `key` of this process may end.
#[expect(clippy::panic, reason = "panicking on demand is what the failpoint is for")]
pub fn step(key: &str) -> io::Result<()> {
    match global().fire::<Action>(key, None) {
        None => Ok(()),
        Some(Action::Abort) => std::process::abort(),
        Some(Action::Panic) => panic!("failpoint {key}"),
        Some(Action::Error) => Err(io::Error::other(format!("failpoint {key}"))),
    }
}

#[cfg(debug_assertions)]
mod armed {
    use std::collections::BTreeMap;
    use std::str::FromStr;

    use parking_lot::Mutex;

    use super::{Error, Spec};

    /// A registry of failpoints. Its dice come from its seed, so a run can be repeated.
    #[derive(Debug)]
    pub struct Failpoints {
        state: Mutex<State>,
    }

    #[derive(Debug)]
    struct State {
        dice: u64,
        active: BTreeMap<(String, Option<String>), Active>,
    }

    #[derive(Debug)]
    struct Active {
        spec: Spec,
        value: String,
        fired: u64,
    }

    impl Failpoints {
        /// An empty registry.
        pub const fn new(seed: u64) -> Self {
            Self { state: Mutex::new(State { dice: seed, active: BTreeMap::new() }) }
        }

        /// Sets or clears one failpoint. Setting it again forgets that it has fired.
        #[expect(clippy::unnecessary_wraps, reason = "the registry of a release build refuses")]
        pub fn set(&self, spec: Spec) -> Result<(), Error> {
            let place = (spec.key.clone(), spec.sub.clone());
            let mut state = self.state.lock();
            match spec.value.clone() {
                Some(value) => drop(state.active.insert(place, Active { spec, value, fired: 0 })),
                None => drop(state.active.remove(&place)),
            }
            Ok(())
        }

        /// Sets or clears each of a list between semicolons, or none if one cannot be read.
        pub fn set_all(&self, list: &str) -> Result<(), Error> {
            let specs = list.split(';').map(str::trim).filter(|spec| !spec.is_empty());
            let specs = specs.map(Spec::from_str).collect::<Result<Vec<_>, _>>()?;
            specs.into_iter().try_for_each(|spec| self.set(spec))
        }

        /// Whether the failpoint `key` fires for this subject, and with which value.
        ///
        /// One set without `sub` fires for every subject. A value that is not a `T` does not fire.
        pub fn fire<T: FromStr>(&self, key: &str, sub: Option<&str>) -> Option<T> {
            let mut state = self.state.lock();
            let draw = draw(&mut state.dice);
            let for_subject = (key.to_owned(), sub.map(str::to_owned));
            let for_all = (key.to_owned(), None);
            let place = if state.active.contains_key(&for_subject) { for_subject } else { for_all };
            let active = state.active.get_mut(&place)?;
            let spent = active.spec.once && active.fired > 0;
            if spent || draw >= active.spec.probability {
                return None;
            }
            let value = active.value.parse().ok()?;
            active.fired += 1;
            Some(value)
        }

        /// What is set, each with how often it has fired.
        pub fn list(&self) -> Vec<(Spec, u64)> {
            let state = self.state.lock();
            state.active.values().map(|active| (active.spec.clone(), active.fired)).collect()
        }
    }

    /// A number from 0 up to but not including 1, by splitmix64.
    fn draw(dice: &mut u64) -> f64 {
        *dice = dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = *dice;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let top = u32::try_from((bits ^ (bits >> 31)) >> 32).unwrap_or(u32::MAX);
        f64::from(top) / (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(not(debug_assertions))]
mod disarmed {
    use std::str::FromStr;

    use super::{Error, Spec};

    /// The registry of a release build: holds nothing, fires nothing.
    #[derive(Debug)]
    pub struct Failpoints;

    impl Failpoints {
        /// Nothing.
        pub const fn new(_seed: u64) -> Self {
            Self
        }

        /// Refuses.
        pub fn set(&self, _spec: Spec) -> Result<(), Error> {
            Err(Error::Release)
        }

        /// Refuses, unless the list is empty.
        pub fn set_all(&self, list: &str) -> Result<(), Error> {
            if list.trim().is_empty() { Ok(()) } else { Err(Error::Release) }
        }

        /// Never fires.
        #[inline(always)]
        pub fn fire<T: FromStr>(&self, _key: &str, _sub: Option<&str>) -> Option<T> {
            None
        }

        /// Nothing is set.
        pub fn list(&self) -> Vec<(Spec, u64)> {
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Result<&str, Error>) {
        let found = text.parse::<Spec>().map(|spec| spec.to_string());
        assert_eq!(found, expect.map(str::to_owned), "{text}");
    }

    #[test]
    fn a_spec_reads_and_prints_the_same() {
        check("commit=error", Ok("commit=error"));
        check("commit", Ok("commit"));
        check("commit,once=error", Ok("commit,once=error"));
        check("commit,sub:abc,p:0.25,once=5", Ok("commit,sub:abc,p:0.25,once=5"));
        check("commit, p:0.5, once = 5", Ok("commit,p:0.5,once= 5"));
        check("url=a=b,c", Ok("url=a=b,c"));
        check("commit,p:7=x", Ok("commit=x"));
        check("commit,p:-1=x", Ok("commit,p:0=x"));
        check("commit,p:NaN=x", Ok("commit,p:0=x"));
    }

    #[test]
    fn a_spec_that_cannot_be_read_says_why() {
        check("", Err(Error::NoKey));
        check(",once", Err(Error::NoKey));
        check("commit,twice=x", Err(Error::UnknownMeta("twice".to_owned())));
        check("commit,p:often=x", Err(Error::Probability("often".to_owned())));
    }

    #[cfg(debug_assertions)]
    fn set(list: &str) -> Failpoints {
        let failpoints = Failpoints::new(1);
        failpoints.set_all(list).unwrap();
        failpoints
    }

    #[cfg(debug_assertions)]
    #[test]
    fn a_failpoint_fires_until_it_is_cleared() {
        let failpoints = set("a=7");
        assert_eq!(failpoints.fire::<u32>("a", None), Some(7));
        assert_eq!(failpoints.fire::<u32>("a", Some("x")), Some(7));
        assert_eq!(failpoints.fire::<u32>("b", None), None);
        assert_eq!(failpoints.list().first().map(|(_, fired)| *fired), Some(2));
        failpoints.set_all("a").unwrap();
        assert_eq!(failpoints.fire::<u32>("a", None), None);
        assert!(failpoints.list().is_empty());
    }

    #[cfg(debug_assertions)]
    #[test]
    fn once_is_once_until_it_is_set_again() {
        let failpoints = set("a,once=7");
        assert_eq!(failpoints.fire::<u32>("a", None), Some(7));
        assert_eq!(failpoints.fire::<u32>("a", None), None);
        failpoints.set_all("a,once=8").unwrap();
        assert_eq!(failpoints.fire::<u32>("a", None), Some(8));
    }

    #[cfg(debug_assertions)]
    #[test]
    fn a_subject_is_met_exactly() {
        let failpoints = set("a,sub:x=7");
        assert_eq!(failpoints.fire::<u32>("a", Some("x")), Some(7));
        assert_eq!(failpoints.fire::<u32>("a", Some("y")), None);
        assert_eq!(failpoints.fire::<u32>("a", None), None);
    }

    #[cfg(debug_assertions)]
    #[test]
    fn a_value_of_another_type_does_not_fire() {
        let failpoints = set("a,once=seven");
        assert_eq!(failpoints.fire::<u32>("a", None), None);
        assert_eq!(failpoints.fire::<String>("a", None), Some("seven".to_owned()));
    }

    #[cfg(debug_assertions)]
    #[test]
    fn probabilities_are_kept_and_repeat_with_the_seed() {
        let count = |list: &str| {
            let failpoints = set(list);
            (0..10_000).filter(|_| failpoints.fire::<bool>("a", None).is_some()).count()
        };
        assert_eq!(count("a,p:0=true"), 0);
        assert_eq!(count("a,p:1=true"), 10_000);
        assert!((2_200..2_800).contains(&count("a,p:0.25=true")));
        assert_eq!(count("a,p:0.25=true"), count("a,p:0.25=true"));
    }

    #[cfg(debug_assertions)]
    #[test]
    fn a_list_is_set_whole_or_not_at_all() {
        let failpoints = Failpoints::new(1);
        assert!(failpoints.set_all("a=1; b,what=2").is_err());
        assert!(failpoints.list().is_empty());
        failpoints.set_all("a=1; b=2;").unwrap();
        assert_eq!(failpoints.list().len(), 2);
    }
}
