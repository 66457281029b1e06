//! What has no canonical text, and what is said about it.

use std::thread;

use mangrove_protocol::limits::JSON_DEPTH;

use super::*;

fn refused(text: &str, expect: &Unfit) {
    assert_eq!(canonical(text).as_ref(), Err(expect), "{text}");
    assert!(!is_canonical(text.as_bytes()));
    assert!(shown(text.as_bytes()).starts_with(r#"{"$bytes":""#));
}

fn malformed(text: &str, at: usize, path: &str) {
    match canonical(text) {
        Err(Unfit::Malformed { at: is, path: told, .. }) => {
            assert_eq!((is, told.as_str()), (at, path), "{text}");
        }
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn what_is_not_json_is_refused_where_it_ceases_to_be() {
    for (text, at) in [
        ("", 0),
        ("  ", 2),
        ("\u{feff}1", 0),
        ("\u{a0}1", 0),
        ("nul", 0),
        ("True", 0),
        ("NaN", 0),
        ("-Infinity", 1),
        ("'a'", 0),
        ("1 2", 2),
        ("nullnull", 4),
        ("[]]", 2),
        ("}", 0),
        ("+1", 0),
        ("-", 1),
        ("--1", 1),
        (".5", 0),
        ("5.", 2),
        ("01", 1),
        ("-01", 2),
        ("1e", 2),
        ("1e+", 3),
        ("1e+-1", 3),
        ("1.e1", 2),
        ("0x1", 1),
        ("1_0", 1),
        ("/*c*/1", 0),
        ("\"", 1),
        ("\"a\\\"", 4),
        ("\"a\nb\"", 2),
        ("\"\u{1f}\"", 1),
        (r#""\x41""#, 2),
        (r#""\'""#, 2),
        (r#""\U0041""#, 2),
        (r#""\u+041""#, 3),
        (r#""\u004""#, 3),
        (r#""\u00""#, 3),
        (r#""\u00é""#, 3),
        (r#""\ud800\u12""#, 9),
    ] {
        malformed(text, at, "$");
    }
}

#[test]
fn a_fault_is_placed_in_the_value_that_has_it() {
    for (text, at, path) in [
        ("[", 1, "$[0]"),
        ("[1", 2, "$[0]"),
        ("[1,]", 3, "$[1]"),
        ("[,1]", 1, "$[0]"),
        ("[1 2]", 3, "$[0]"),
        ("[1}", 2, "$[0]"),
        ("{", 1, "$"),
        ("{a:1}", 1, "$"),
        (r#"{"a"}"#, 4, "$.a"),
        (r#"{"a":}"#, 5, "$.a"),
        (r#"{"a":1,}"#, 7, "$"),
        (r#"{"a":1]"#, 6, "$.a"),
        (r#"{"a" "b"}"#, 5, "$.a"),
        (r#"{"a":[0,{"b c":[0,1,2,x]}]}"#, 22, r#"$.a[1]["b c"][3]"#),
        (r#"{"":{"1":{"_1":{"\n":?}}}}"#, 21, r#"$[""]["1"]._1["\n"]"#),
    ] {
        malformed(text, at, path);
    }
}

#[test]
fn a_number_that_would_come_back_as_another_is_refused() {
    for text in [
        "9007199254740993",
        "-9007199254740993",
        "9007199254740992.5",
        "12345678901234567890",
        "18446744073709551615",
        "18446744073709551616",
        "333333333.33333329",
        "1424953923781206.25",
        "1424953923781206.3",
        "2.98023223876953125e-8",
        "0.1000000000000000055511151231257827",
        "1e309",
        "-1e400",
        "1.7976931348623158e308",
        "1e99999999999999999999",
        "1e-400",
        "2e-324",
        "4.9e-324",
        "4.9406564584124654e-324",
        "1e-99999999999999999999",
        "1.0000000000000000000000000000001",
    ] {
        let (at, path) = (8, "$.a[1]".to_owned());
        refused(
            &format!(r#"{{"a":[1,{text} ]}}"#),
            &Unfit::Inexact { at, path, text: text.to_owned() },
        );
    }
}

#[test]
fn a_name_that_occurs_again_is_refused_wherever_it_is_and_however_it_is_spelled() {
    for (text, at, path) in [
        (r#"{"a":1,"a":1}"#, 7, "$.a"),
        (r#"{"a":1,"b":2,"\u0061":3}"#, 13, "$.a"),
        (r#"{"b":1,"a":2,"b":3,"a":4,"a":5}"#, 13, "$.b"),
        (r#"[{"x":{"":0,"":[]}}]"#, 12, r#"$[0].x[""]"#),
        (r#"{"\ud83d\ude00":0,"😀":0}"#, 18, r#"$["😀"]"#),
    ] {
        refused(text, &Unfit::Duplicate { at, path: path.to_owned() });
    }
    check(r#"[{"a":{"a":0}},{"a":1},{"a":2}]"#, r#"[{"a":{"a":0}},{"a":1},{"a":2}]"#);
}

#[test]
fn half_a_surrogate_pair_is_refused() {
    for (escapes, at) in [
        (r"\ud800", 6),
        (r"\udc00", 6),
        (r"\uDBFF", 6),
        (r"\uDFFF", 6),
        (r"a\ud83da", 7),
        (r"\ude00\ud83d", 6),
        (r"\ud83d\ud83d\ude00", 6),
        (r"\ud83d\u0041", 6),
        (r"\udc00\u12", 6),
        (r"\ud83d\n", 6),
        (r"\ud83d\\ude00", 6),
        (r"\ud83d\ude00\ud83d", 18),
    ] {
        let path = "$.a".to_owned();
        refused(&format!(r#"{{"a":"{escapes}"}}"#), &Unfit::Surrogate { at, path });
        let path = "$".to_owned();
        refused(&format!(r#"{{   "{escapes}":0}}"#), &Unfit::Surrogate { at: at - 1, path });
    }
}

#[test]
fn a_document_may_be_nested_as_deep_as_the_limit_and_no_deeper() {
    let levels = usize::try_from(JSON_DEPTH).unwrap();
    let (open, close) = ("[".repeat(levels), "]".repeat(levels));
    check(&format!("{open}{close}"), &format!("{open}{close}"));
    check(&format!("{open}0{close}"), &format!("{open}0{close}"));
    let path = format!("${}", "[0]".repeat(levels));
    refused(&format!("{open}[]{close}"), &Unfit::TooDeep { at: levels, path: path.clone() });
    refused(&format!("{open}{{}}{close}"), &Unfit::TooDeep { at: levels, path });

    let (open, close) = (r#"{"a":"#.repeat(levels), "}".repeat(levels));
    check(&format!("{open}0{close}"), &format!("{open}0{close}"));
    let path = format!("${}", ".a".repeat(levels));
    refused(&format!("{open}[]{close}"), &Unfit::TooDeep { at: 5 * levels, path });
}

#[test]
fn a_bracket_that_was_closed_does_not_count_towards_the_depth() {
    let items = vec![r#"[[{"a":{}}]]"#; 1_000].join(",");
    check(&format!("[{items}]"), &format!("[{items}]"));
}

#[test]
fn a_million_brackets_are_refused_at_the_first_too_many_on_a_small_stack() {
    let read = || {
        for (bracket, at) in [("[", 64), (r#"{"":"#, 256), ("[[{\"a\":[", 128), (" [", 129)] {
            let bomb = bracket.repeat(1_000_000);
            match canonical(&bomb) {
                Err(Unfit::TooDeep { at: told, path }) => {
                    assert_eq!(told, at, "{bracket}");
                    assert!(path.len() < 400, "{path}");
                }
                other => panic!("{bracket}: {other:?}"),
            }
            assert!(!is_canonical(bomb.as_bytes()));
        }
    };
    thread::Builder::new().stack_size(256 << 10).spawn(read).unwrap().join().unwrap();
}

#[test]
fn what_is_told_of_a_fault_is_short_however_long_the_names_and_numbers_are() {
    let digits = "1234567890".repeat(100_000);
    for letter in ["ü", "n", "\n"] {
        let name = letter.repeat(20_000);
        let open = format!("{{{}:", serde_json::to_string(&name).unwrap());
        match canonical(&format!("{}{digits}", open.repeat(60))) {
            Err(Unfit::Inexact { at, path, text }) => {
                assert_eq!(at, 60 * open.len());
                assert_eq!(text, format!("{}…", "1234567890".repeat(4)));
                assert!(path.len() < 600 && path.ends_with('…'), "{path}");
                let shown = open.get(1..60).unwrap();
                assert!(path.starts_with(&format!("$[{shown}")), "{path}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn each_refusal_says_what_where_and_what_to_do() {
    for (text, message, hint) in [
        (
            r#"{"a":[1,]}"#,
            "$.a[1] is not JSON: at byte 8, there should be a value",
            "send one JSON document, as RFC 8259 says",
        ),
        (
            r#"{"a":[1e400]}"#,
            "$.a[0] is 1e400, at byte 6: a double does not hold that number exactly",
            "send it as a string, or round it to what a double prints",
        ),
        (
            r#"{"a":1,"a":2}"#,
            "$.a is there twice, again at byte 7",
            "send each name of an object once",
        ),
        (
            r#"["\ud800"]"#,
            "$[0] has half of a surrogate pair, at byte 2",
            "send both halves of the pair, or bytes that are not text in base64",
        ),
    ] {
        let unfit = canonical(text).unwrap_err();
        assert_eq!((unfit.to_string().as_str(), unfit.hint()), (message, hint));
    }
    let unfit = canonical(&r#"{"a":"#.repeat(65)).unwrap_err();
    let path = format!("${}", ".a".repeat(64));
    assert_eq!(unfit.to_string(), format!("{path} is nested deeper than 64 levels, at byte 320"));
    assert_eq!(unfit.hint(), "flatten it, or send a part of it as a string");
}
