//! Tests how an event becomes arguments.

use wasmtime::component::Val;

use crate::guest::{
    number::Integer,
    typed::{
        arguments::{ArgumentError, of_body, of_texts},
        shape::{Case, Field, Form, Shape},
    },
};

const BUDGET: usize = 1 << 20;

fn field(name: &str, form: Form) -> Field {
    Field { name: name.to_owned(), shape: Shape::anonymous(form), docs: None }
}

fn boxed(form: Form) -> Box<Shape> {
    Box::new(Shape::anonymous(form))
}

fn u8() -> Form {
    Form::Integer(Integer::U8)
}

fn color() -> Form {
    Form::Enum(vec![Case::label("red"), Case::label("dark-green")])
}

fn item() -> Form {
    Form::Record(vec![field("sku", Form::String), field("price", Form::F64), field("note", Form::Option(boxed(u8())))])
}

fn order() -> Form {
    Form::Record(vec![field("items", Form::List(boxed(item())))])
}

/// The arguments of a body as Rust shows them, or the reason why it has none.
fn body(params: &[Field], json: &str) -> String {
    shown(of_body(params, json.as_bytes(), BUDGET))
}

fn texts(params: &[Field], texts: &[&str]) -> String {
    shown(of_texts(params, &texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>(), BUDGET))
}

fn shown(arguments: Result<Vec<Val>, ArgumentError>) -> String {
    match arguments {
        Ok(values) => values.iter().map(|value| format!("{value:?}")).collect::<Vec<_>>().join(" "),
        Err(ArgumentError::Invalid(why)) => why,
        Err(ArgumentError::TooLarge) => "too large".to_owned(),
    }
}

#[test]
fn the_type_of_the_only_parameter_decides_whether_the_body_is_or_contains_the_argument() {
    let list = Form::List(boxed(u8()));
    let variant = Form::Variant(vec![Case { shape: Some(Shape::anonymous(u8())), ..Case::label("v") }]);
    let cases = [
        (u8(), "7", "U8(7)"),
        (u8(), "[7]", "U8(7)"),
        (u8(), r#"{"v":7}"#, "U8(7)"),
        (u8(), "", "the function takes 1 argument (v), got 0"),
        (u8(), "[]", "the function takes 1 argument (v), got 0"),
        (u8(), "[1,2]", "the function takes 1 argument (v), got more"),
        (u8(), r#"{"w":7}"#, "there is no argument \"w\""),
        (list.clone(), "[7]", "List([U8(7)])"),
        (list.clone(), r#"{"v":[7]}"#, "List([U8(7)])"),
        (list, "[[7]]", "arg 0: [0]: expected u8 (0 to 255), got an array"),
        (order(), r#"{"items":[]}"#, r#"Record([("items", List([]))])"#),
        (order(), r#"{"v":{"items":[]}}"#, r#"Record([("items", List([]))])"#),
        (order(), r#"[{"items":[]}]"#, r#"Record([("items", List([]))])"#),
        (order(), r#"{"item":[]}"#, r#"arg 0: there is no field "item"; did you mean "items"?"#),
        // The key is the variant's case, and not the parameter's name.
        (variant, r#"{"v":7}"#, r#"Variant("v", Some(U8(7)))"#),
        (Form::Option(boxed(u8())), "", "Option(None)"),
        (Form::Option(boxed(u8())), "[]", "Option(None)"),
        (Form::Option(boxed(u8())), "{}", "Option(None)"),
        (Form::Option(boxed(u8())), "null", "Option(None)"),
        (Form::String, r#""a""#, r#"String("a")"#),
        (Form::String, "a", "expected JSON: expected value at line 1 column 1"),
    ];
    for (form, json, expected) in cases {
        assert_eq!(body(&[field("v", form)], json), expected, "{json}");
    }
}

#[test]
fn several_arguments_are_an_array_or_an_object() {
    let two = || [field("n", u8()), field("c", color()), field("o", Form::Option(boxed(u8())))];
    let cases = [
        (r#"[1,"red",2]"#, r#"U8(1) Enum("red") Option(Some(U8(2)))"#),
        (r#"[1,"red"]"#, r#"U8(1) Enum("red") Option(None)"#),
        (r#" {"c":"red","n":1} "#, r#"U8(1) Enum("red") Option(None)"#),
        (r#"{"n":1}"#, "the argument c is missing"),
        (r#"{"n":1,"n":2,"c":"red"}"#, "the argument n is there twice"),
        (r#"{"n":1,"color":"red"}"#, r#"there is no argument "color"; did you mean "c"?"#),
        (r#"[1,"dark-gren"]"#, r#"arg 1: there is no case "dark-gren"; did you mean "dark-green"?"#),
        ("[256]", "arg 0: expected u8 (0 to 255), got 256"),
        ("[1]", "the function takes 3 arguments (n, c, o), got 1"),
        ("1", "the function takes 3 arguments (n, c, o); give an array of them, or an object by their names"),
        ("[1,", "expected JSON: EOF while parsing a value at line 1 column 3"),
        ("", "the function takes 3 arguments (n, c, o), got 0"),
    ];
    for (json, expected) in cases {
        assert_eq!(body(&two(), json), expected, "{json}");
    }
}

#[test]
fn a_function_without_parameters_takes_nothing() {
    for json in ["", " \n", "null", "[]", "{}"] {
        assert_eq!(body(&[], json), "", "{json}");
    }
    for (json, expected) in [
        ("[1]", "the function takes no arguments, got more"),
        (r#"{"a":1}"#, r#"there is no argument "a""#),
        ("1", "the function takes no arguments; give an array of them, or an object by their names"),
    ] {
        assert_eq!(body(&[], json), expected, "{json}");
    }
}

#[test]
fn a_part_of_a_path_is_read_as_json_if_that_fits_and_otherwise_as_a_text() {
    let option = Form::Option(boxed(Form::String));
    let cases = [
        (Form::String, "10", r#"String("10")"#),
        (Form::String, "true", r#"String("true")"#),
        (Form::String, r#""quoted""#, r#"String("quoted")"#),
        (Form::String, "", r#"String("")"#),
        (option.clone(), "null", "Option(None)"),
        (option, "10", r#"Option(Some(String("10")))"#),
        (Form::Char, "1", "Char('1')"),
        (Form::Bytes, "1234", "List([U8(215), U8(109), U8(248)])"),
        (color(), "red", r#"Enum("red")"#),
        (Form::List(boxed(u8())), "[1]", "List([U8(1)])"),
        (u8(), "7", "U8(7)"),
        (u8(), "ten", "arg 0: expected u8 (0 to 255), got \"ten\""),
        (u8(), "300", "arg 0: expected u8 (0 to 255), got 300"),
        (Form::F64, "NaN", "Float64(NaN)"),
        (Form::F64, "1e400", "arg 0: expected f64 (-1.7976931348623157e308 to 1.7976931348623157e308), got 1e400"),
        (Form::F32, "one", "arg 0: expected f32, got \"one\""),
        (u8(), " 1e2", "U8(100)"),
        (u8(), "+7", "arg 0: expected u8 (0 to 255), got \"+7\""),
        (Form::Integer(Integer::U64), "+7", "arg 0: expected u64 (0 to 18446744073709551615), got \"+7\""),
    ];
    for (form, text, expected) in cases {
        assert_eq!(texts(&[field("v", form)], &[text]), expected, "{text}");
    }
    assert_eq!(texts(&[field("v", u8())], &["1", "2"]), "the function takes 1 argument (v), got 2");
}

#[test]
fn an_error_names_the_path_of_the_value_that_does_not_fit() {
    let cases = [
        (r#"{"items":[{"sku":"a","price":1},{"sku":"b","price":"x"}]}"#, r#".items[1].price: expected f64, got "x""#),
        (r#"{"items":[{"sku":"a","price":[]}]}"#, ".items[0].price: expected f64, got an array"),
        (r#"{"items":[{"sku":null,"price":1}]}"#, ".items[0].sku: expected string, got null"),
        (r#"{"items":[{"sku":"a"}]}"#, ".items[0]: the field price is missing"),
        (r#"{"items":[{"sku":"a","sku":"b","price":1}]}"#, ".items[0]: the field sku is there twice"),
        (r#"{"items":[{"sku":"a","prise":1}]}"#, r#".items[0]: there is no field "prise"; did you mean "price"?"#),
        (r#"{"items":{}}"#, ".items: expected a list (an array), got an object"),
    ];
    for (json, expected) in cases {
        assert_eq!(body(&[field("order", order())], json), format!("arg 0: {expected}"), "{json}");
    }
}

#[test]
fn a_hostile_value_is_refused_and_not_repeated_in_the_error() {
    let megabyte = "x".repeat(1 << 20);
    let shown = body(&[field("v", u8())], &format!("\"{megabyte}\""));
    assert!(shown.len() < 200, "{shown}");
    assert_eq!(body(&[field("v", Form::String)], &format!("\"{megabyte}\"")), "too large");
    // Each record is two bytes of JSON, and takes kilobytes as a value.
    let sparse = Form::Record((0..100).map(|index| field(&format!("f{index}"), Form::Option(boxed(u8())))).collect());
    let many = format!("[{}]", vec!["{}"; 10_000].join(","));
    assert_eq!(body(&[field("v", Form::List(boxed(sparse)))], &many), "too large");
    let deep = "[".repeat(1 << 20);
    assert_eq!(body(&[field("v", Form::Bool)], &deep), "arg 0: expected bool, got an array");
    assert!(body(&[field("v", u8())], &deep).starts_with("expected JSON: EOF"));
}
