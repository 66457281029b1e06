//! The known word that a mistyped one most likely meant.

/// The candidate nearest to `word`, if any is near enough to be worth suggesting: at most a third
/// of its letters may differ, and two letters always may.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let distance = |candidate: &str| strsim::damerau_levenshtein(&word, candidate);
    let near = |candidate: &&str| distance(candidate) <= (candidate.len() / 3).max(2);
    let short = |candidate: &&str| distance(candidate) < candidate.chars().count();
    candidates.into_iter().filter(near).filter(short).min_by_key(|candidate| distance(candidate))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(word: &str, expect: Option<&str>) {
        assert_eq!(nearest(word, ["listen", "bootstrap", "log", "name"]), expect, "{word}");
    }

    #[test]
    fn typing_slips_are_understood_and_other_words_are_not_guessed_at() {
        check("lissten", Some("listen"));
        check("Listen", Some("listen"));
        check("bootsrap", Some("bootstrap"));
        check("nmae", Some("name"));
        check("colour", None);
        check("x", None);
        check("", None);
    }
}
