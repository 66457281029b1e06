//! The examples of RFC 8785, and what its words say beyond them.

use super::*;

/// Appendix B: the bits of a double, and its text.
const NUMBERS: [(u64, &str); 24] = [
    (0x0000_0000_0000_0000, "0"),
    (0x8000_0000_0000_0000, "0"),
    (0x0000_0000_0000_0001, "5e-324"),
    (0x8000_0000_0000_0001, "-5e-324"),
    (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
    (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
    (0x4340_0000_0000_0000, "9007199254740992"),
    (0xc340_0000_0000_0000, "-9007199254740992"),
    (0x4430_0000_0000_0000, "295147905179352830000"),
    (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
    (0x44b5_2d02_c7e1_4af6, "1e+23"),
    (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
    (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
    (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
    (0x444b_1ae4_d6e2_ef50, "1e+21"),
    (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
    (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
    (0x41b3_de43_5555_5553, "333333333.3333332"),
    (0x41b3_de43_5555_5554, "333333333.33333325"),
    (0x41b3_de43_5555_5555, "333333333.3333333"),
    (0x41b3_de43_5555_5556, "333333333.3333334"),
    (0x41b3_de43_5555_5557, "333333333.33333343"),
    (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
    (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
];

#[test]
fn numbers_are_printed_as_in_appendix_b() {
    for (bits, text) in NUMBERS {
        check(text, text);
        let double: f64 = text.parse().unwrap();
        assert_eq!(double + 0.0, f64::from_bits(bits) + 0.0, "{text}");
    }
}

#[test]
fn the_sample_of_section_3_2_2_is_serialized_as_there() {
    // The RFC has 333333333.33333329 for the first number, which it rounds.
    let sample = r#"{
        "numbers": [333333333.3333333, 1E30, 4.50,
                    2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
        "literals": [null, true, false]
    }"#;
    let expect = r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#;
    check(sample, expect);
}

#[test]
fn the_sample_of_section_3_2_3_is_sorted_as_there() {
    let sample = r#"{
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\ud83d\ude00": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis"
    }"#;
    let sorted = [
        ("\\r", "Carriage Return"),
        ("1", "One"),
        ("\u{80}", "Control"),
        ("ö", "Latin Small Letter O With Diaeresis"),
        ("€", "Euro Sign"),
        ("😀", "Emoji: Grinning Face"),
        ("\u{fb33}", "Hebrew Letter Dalet With Dagesh"),
    ];
    let members = sorted.map(|(name, value)| format!(r#""{name}":"{value}""#));
    check(sample, &format!("{{{}}}", members.join(",")));
}

#[test]
fn members_are_sorted_at_every_depth_and_items_stay_in_order() {
    check(
        r#"{"b":[{"z":1,"y":{"d":[],"c":{}}},2,1],"":0,"aa":1,"a":2,"A":3}"#,
        r#"{"":0,"A":3,"a":2,"aa":1,"b":[{"y":{"c":{},"d":[]},"z":1},2,1]}"#,
    );
}

#[test]
fn names_are_sorted_by_what_they_say_and_not_by_their_escapes() {
    // A line feed comes before a letter and its escape after one; a quote before `#`.
    check(r##"{"A":1,"\n":2,"#":3,"\u0022":4}"##, r##"{"\n":2,"\"":4,"#":3,"A":1}"##);
}

#[test]
fn only_what_must_be_escaped_is() {
    check(r#""\b\t\n\f\r\"\\\/""#, r#""\b\t\n\f\r\"\\/""#);
    check(r#""\u0008\u0009\u000A\u000c\u000D\u0022\u005C\u002f""#, r#""\b\t\n\f\r\"\\/""#);
    check(r#""\u0000\u000B\u001F\u007f""#, "\"\\u0000\\u000b\\u001f\u{7f}\"");
    check(
        r#""\u2028\ufeff\uFFFF\uD83D\uDE00\udbff\uDFFF""#,
        "\"\u{2028}\u{feff}\u{ffff}😀\u{10ffff}\"",
    );
    check("\"<é/\u{2029}>\"", "\"<é/\u{2029}>\"");
}

#[test]
fn text_is_not_normalized() {
    check(r#"["A\u030a","\u00c5"]"#, "[\"A\u{30a}\",\"\u{c5}\"]");
}

#[test]
fn all_spaces_of_json_go_and_those_in_strings_stay() {
    check(" \t\r\n[ 1 ,\t{ \"a b\" :\n\" \" } ,[ ] , { } ]\r\n", r#"[1,{"a b":" "},[],{}]"#);
}

#[test]
fn a_number_has_one_text_however_it_is_spelled() {
    for (texts, expect) in [
        (&["0", "-0", "0.0", "-0.000", "0e0", "-0E-9999999999999999999999", "0e999999"][..], "0"),
        (&["1", "1.0", "10e-1", "0.1e1", "1E+0", "1e-00000000000000000000000", "100e-2"], "1"),
        (&["-1.5", "-15e-1", "-0.0015E3", "-1.500"], "-1.5"),
        (
            &["1e20", "1E+20", "100000000000000000000", "100000000000000000000.0"],
            "100000000000000000000",
        ),
        (&["1e21", "1000000000000000000000", "0.01e23"], "1e+21"),
        (&["123456789012345680000", "12345678901234568e4"], "123456789012345680000"),
        (&["0.000001", "1e-6", "0.1E-5"], "0.000001"),
        (&["0.0000001", "1e-7"], "1e-7"),
        (&["0.1", "1e-1", "0.10"], "0.1"),
        (&["5e-324", "50e-325"], "5e-324"),
        (&["9007199254740991"], "9007199254740991"),
        (&["9007199254740994", "9007199254740994.0"], "9007199254740994"),
        (&["2.9802322387695312e-8"], "2.9802322387695312e-8"),
    ] {
        texts.iter().for_each(|text| check(text, expect));
    }
}

#[test]
fn no_count_of_zeros_misleads_about_a_number() {
    let zeros = "0".repeat(700_000);
    check(&format!("0.{zeros}15e700002"), "15");
    check(&format!("25{zeros}e-700000"), "25");
    check(&format!("25{zeros}.{zeros}e-700001"), "2.5");
    check(&format!("0.{zeros}"), "0");
}
