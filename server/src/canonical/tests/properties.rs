//! Whatever a document says and however it is spelled, its canonical text is the same.

use proptest::prelude::*;

use super::*;

/// A document that has a canonical text.
#[derive(Debug, Clone)]
enum Json {
    Word(&'static str),
    Number(f64),
    Text(String),
    Array(Vec<Self>),
    Object(BTreeMap<String, Self>),
}

impl Json {
    /// The canonical text, by other means than ours: `serde_json` for strings, a sorted list for
    /// members.
    fn expected(&self) -> String {
        match self {
            Self::Word(word) => (*word).to_owned(),
            Self::Number(double) => printed(*double),
            Self::Text(text) => serde_json::to_string(text).unwrap(),
            Self::Array(items) => {
                let items: Vec<_> = items.iter().map(Self::expected).collect();
                format!("[{}]", items.join(","))
            }
            Self::Object(members) => {
                let mut members: Vec<_> = members.iter().collect();
                members.sort_by_key(|(name, _)| name.encode_utf16().collect::<Vec<_>>());
                let members: Vec<_> = members
                    .iter()
                    .map(|(name, it)| {
                        format!("{}:{}", serde_json::to_string(name).unwrap(), it.expected())
                    })
                    .collect();
                format!("{{{}}}", members.join(","))
            }
        }
    }

    /// One of its many texts.
    fn spelled(&self, dice: &mut Dice) -> String {
        let text = match self {
            Self::Word(word) => (*word).to_owned(),
            Self::Number(double) => dice.number(&printed(*double)),
            Self::Text(text) => dice.string(text),
            Self::Array(items) => {
                let items: Vec<_> = items.iter().map(|item| item.spelled(dice)).collect();
                format!("[{}{}]", items.join(","), dice.space())
            }
            Self::Object(members) => {
                let mut members: Vec<_> = members
                    .iter()
                    .map(|(name, it)| {
                        let (before, name) = (dice.space(), dice.string(name));
                        format!("{before}{name}{}:{}", dice.space(), it.spelled(dice))
                    })
                    .collect();
                dice.shuffle(&mut members);
                format!("{{{}{}}}", members.join(","), dice.space())
            }
        };
        format!("{}{text}{}", dice.space(), dice.space())
    }
}

fn printed(double: f64) -> String {
    ryu_js::Buffer::new().format_finite(double).to_owned()
}

/// Chance that can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn space(&mut self) -> &'static str {
        ["", "", "", " ", "\n\t", "\r "][self.roll(6)]
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.roll(last + 1);
            items.swap(last, other);
        }
    }

    fn string(&mut self, text: &str) -> String {
        let mut spelled = "\"".to_owned();
        for c in text.chars() {
            let must = matches!(c, '"' | '\\' | ..'\u{20}');
            if !must && self.roll(4) > 0 {
                spelled.push(c);
                continue;
            }
            for unit in c.encode_utf16(&mut [0; 2]) {
                let upper = self.roll(2) == 0;
                let hex = if upper { format!("{unit:04X}") } else { format!("{unit:04x}") };
                spelled.push_str(&format!("\\u{hex}"));
            }
        }
        spelled + "\""
    }

    fn number(&mut self, printed: &str) -> String {
        let (mantissa, exponent) = printed.split_once('e').unwrap_or((printed, "0"));
        let mut exponent: i32 = exponent.parse().unwrap();
        let mut mantissa = mantissa.to_owned();
        if self.roll(2) == 0 {
            mantissa += if mantissa.contains('.') { "00" } else { ".0" };
        }
        if self.roll(3) == 0 && !mantissa.contains('.') {
            mantissa += "000";
            exponent -= 3;
        }
        match self.roll(3) {
            0 => format!("{mantissa}E{exponent:+04}"),
            1 => format!("{mantissa}e{exponent}"),
            _ if exponent == 0 => mantissa,
            _ => format!("{mantissa}e{exponent:+}"),
        }
    }
}

fn doubles() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |it| it.is_finite()),
        (-1_000_000_i32..1_000_000).prop_map(f64::from),
        (-1_000_000_i32..1_000_000).prop_map(|it| f64::from(it) / 1_000.0),
        // Where two shortest texts are equally near.
        (1_u64 << 49..1 << 53, 0_i32..6)
            .prop_map(|(whole, shift)| whole as f64 / 2_f64.powi(shift)),
    ]
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c]{0,3}",
        "[\u{0}-\u{7f}]{0,6}",
        // On either side of the surrogates, where code points and code units are ordered apart.
        "[z\u{d7ff}\u{e000}\u{ffff}\u{10000}\u{10ffff}😀]{0,3}",
        any::<String>(),
    ]
}

fn documents() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Word("null")),
        Just(Json::Word("true")),
        Just(Json::Word("false")),
        doubles().prop_map(Json::Number),
        texts().prop_map(Json::Text),
    ];
    leaf.prop_recursive(5, 48, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Json::Array),
            proptest::collection::btree_map(texts(), inner, 0..6).prop_map(Json::Object),
        ]
    })
}

/// What a text says about numbers, apart from their doubles: its digits without zeros around them,
/// and how far to the left of them the point is.
fn decimal(text: &str) -> (bool, String, i64) {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let places = mantissa.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_start_matches('0');
    let kept = digits.trim_end_matches('0');
    if kept.is_empty() {
        return (false, String::new(), 0);
    }
    let exponent: i64 = exponent.parse().unwrap();
    let moved = i64::try_from(digits.len() - kept.len()).unwrap() - i64::try_from(places).unwrap();
    (text.starts_with('-'), kept.to_owned(), exponent + moved)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn all_spellings_of_a_document_in_any_order_have_its_one_canonical_text(
        document in documents(),
        seed in any::<u64>(),
    ) {
        let expected = document.expected();
        let spelled = document.spelled(&mut Dice(seed));
        let bytes = canonical(&spelled);
        prop_assert_eq!(bytes.as_deref(), Ok(expected.as_bytes()), "{}", spelled);
        prop_assert_eq!(Said::of(&spelled), Said::of(&expected));
    }

    #[test]
    fn the_canonical_text_is_its_own(document in documents()) {
        let expected = document.expected();
        prop_assert_eq!(canonical(&expected), Ok(expected.clone().into_bytes()));
        prop_assert!(is_canonical(expected.as_bytes()));
        prop_assert_eq!(shown(expected.as_bytes()), expected.as_str());
    }

    #[test]
    fn a_name_that_is_there_again_is_found_in_any_order(
        members in proptest::collection::btree_map(texts(), 0..9_u8, 1..40),
        which in any::<prop::sample::Index>(),
        seed in any::<u64>(),
    ) {
        let mut dice = Dice(seed);
        let again = members.iter().nth(which.index(members.len())).unwrap();
        let mut spelled: Vec<_> = members
            .iter()
            .chain([again])
            .map(|(name, value)| format!("{}:{value}", dice.string(name)))
            .collect();
        dice.shuffle(&mut spelled);
        let is_refused =
            matches!(canonical(&format!("{{{}}}", spelled.join(","))), Err(Unfit::Duplicate { .. }));
        prop_assert!(is_refused);
    }

    #[test]
    fn a_byte_that_is_changed_makes_another_document_or_none(
        document in documents(),
        at in any::<prop::sample::Index>(),
        instead in prop_oneof![
            any::<u8>(),
            proptest::sample::select(&br#"[]{},:"\0123456789eE+-. u/"#[..]),
        ],
    ) {
        let expected = document.expected();
        let mut changed = expected.clone().into_bytes();
        changed[at.index(expected.len())] = instead;
        if is_canonical(&changed) && changed != expected.as_bytes() {
            let changed = str::from_utf8(&changed).unwrap();
            prop_assert_ne!(Said::of(changed), Said::of(&expected));
        }
        if !is_canonical(&changed) {
            let shown = shown(&changed);
            prop_assert!(shown.starts_with(r#"{"$bytes":"#), "{}", shown);
        }
    }

    #[test]
    fn any_bytes_are_either_canonical_or_shown_so_that_they_are(
        bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..64),
            proptest::collection::vec(
                proptest::sample::select(&br#"[]{},:"\0123456789eE+-.truefalsn dD8cC"#[..]), 0..24),
        ],
    ) {
        let shown = shown(&bytes);
        prop_assert!(is_canonical(shown.as_bytes()));
        prop_assert_eq!(is_canonical(&bytes), shown.as_bytes() == bytes);
        if let Ok(Ok(once)) = str::from_utf8(&bytes).map(canonical) {
            prop_assert!(is_canonical(&once));
            serde_json::from_slice::<serde_json::Value>(&once).unwrap();
            serde_json::from_slice::<serde_json::Value>(&bytes).unwrap();
        }
    }

    #[test]
    fn what_is_cut_short_is_refused(document in documents(), at in any::<prop::sample::Index>()) {
        let whole = format!("[{}]", document.expected());
        let cut = whole.get(..at.index(whole.len())).unwrap_or_default();
        let is_refused = matches!(
            canonical(cut),
            // Half of a number can be beyond a double.
            Err(Unfit::Malformed { .. } | Unfit::Inexact { .. })
        );
        prop_assert!(is_refused, "{}", cut);
    }

    #[test]
    fn a_number_is_accepted_exactly_if_it_is_what_its_double_prints(
        text in prop_oneof![
            "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?(e[+-]?[0-9]{1,3})?",
            "[1-9]\\.[0-9]{14,17}e-?(0|[1-9][0-9]?|30[0-9]|32[0-5])",
            "90071992547409[0-9]{2}(0{0,9}|\\.[05])",
        ],
    ) {
        let double: f64 = text.parse().unwrap();
        let is_exact = double.is_finite() && decimal(&text) == decimal(&printed(double));
        prop_assert_eq!(canonical(&text).is_ok(), is_exact, "{}", text);
    }

    #[test]
    fn what_a_double_prints_is_kept_and_one_digit_more_is_not(double in doubles()) {
        let text = printed(double);
        prop_assert_eq!(canonical(&text), Ok(text.clone().into_bytes()));
        prop_assert_eq!(text.parse::<f64>().unwrap(), double);
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let point = if mantissa.contains('.') { "" } else { "." };
        let more = format!("{mantissa}{point}{}1e{exponent}", "0".repeat(20));
        let is_refused = matches!(canonical(&more), Err(Unfit::Inexact { .. }));
        prop_assert!(is_refused, "{}", more);
    }
}
