//! Tests that call components in the text format.

mod arguments;
mod calls;
mod components;
mod describe;
mod round_trip;

use components::{identity, runtime_with, same};

const ITEM: &str = r#"
    (type $sku (record (field "sku" string) (field "price" float64) (field "note" (option string))))
    (export $item "item" (type $sku))
    (type $c (enum "red" "dark-green"))
    (export $color "color" (type $c))
    (type $s (variant (case "none") (case "text" string) (case "both" (tuple u8 bool))))
    (export $shape "shape" (type $s))
    (type $f (flags "read" "write" "run"))
    (export $access "access" (type $f))"#;

#[tokio::test]
async fn a_value_of_every_type_is_read_and_written() {
    type Bodies = [(&'static str, &'static str)];

    let cases: &[(&str, &str, &Bodies)] = &[
        ("bool", "bool", &[("true", "true")]),
        ("u8", "u8", &[("255", "255"), ("1.0", "1"), ("2e2", "200")]),
        ("s64", "s64", &[("-9223372036854775808", "-9223372036854775808"), (r#""12""#, "12")]),
        ("u64", "u64", &[("18446744073709551615", "18446744073709551615")]),
        ("f32", "float32", &[("0.1", "0.1"), (r#""NaN""#, r#""NaN""#), ("16777217", "16777216.0")]),
        (
            "f64",
            "float64",
            &[("-0", "-0.0"), (r#""-Infinity""#, r#""-Infinity""#), ("9007199254740993", "9007199254740992.0")],
        ),
        ("char", "char", &[(r#""\ud83d\ude00""#, "\"😀\"")]),
        ("string", "string", &[(r#""a\u0000b""#, r#""a\u0000b""#)]),
        ("bytes", "(list u8)", &[(r#""AQID""#, r#""AQID""#), ("[1,2,3]", r#""AQID""#), (r#""""#, r#""""#)]),
        ("list", "(list u32)", &[("[1,2]", "[1,2]"), ("[]", "[]")]),
        ("lists", "(list (list u32))", &[("[[1],[]]", "[[1],[]]")]),
        ("tuple", "(tuple u8 string)", &[(r#"[1,"a"]"#, r#"[1,"a"]"#)]),
        ("option", "(option u32)", &[("null", "null"), ("1", "1")]),
        (
            "options",
            "(option (option u32))",
            &[("null", "null"), (r#"{"some":null}"#, r#"{"some":null}"#), (r#"{"some":1}"#, r#"{"some":1}"#)],
        ),
        ("result", "(list (result u8 (error string)))", &[(r#"[{"ok":1},{"err":"e"}]"#, r#"[{"ok":1},{"err":"e"}]"#)]),
        ("empty", "(list (result))", &[(r#"[{"ok":null},{"err":null}]"#, r#"[{"ok":null},{"err":null}]"#)]),
        ("record", "$item", &[(r#"{"price":2,"sku":"a"}"#, r#"{"sku":"a","price":2.0,"note":null}"#)]),
        ("enum", "$color", &[(r#""dark-green""#, r#""dark-green""#)]),
        (
            "variant",
            "$shape",
            &[
                (r#""none""#, r#""none""#),
                (r#"{"none":null}"#, r#""none""#),
                (r#"{"text":"t"}"#, r#"{"text":"t"}"#),
                (r#"{"both":[1,true]}"#, r#"{"both":[1,true]}"#),
            ],
        ),
        ("flags", "$access", &[(r#"["run","read"]"#, r#"["read","run"]"#), ("[]", "[]")]),
    ];
    for (name, ty, bodies) in cases {
        let runtime = runtime_with("same", &identity(ITEM, ty)).await.unwrap();
        for (body, expected) in *bodies {
            let answer = same(&runtime, body).await.unwrap_or_else(|error| panic!("{name}: {body}: {error}"));
            assert_eq!(answer, *expected, "{name}: {body}");
        }
    }
}
