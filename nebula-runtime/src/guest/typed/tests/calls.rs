//! Tests which function a call means, and how its result is written.

use super::components::{call, runtime_with};
use crate::function::RegistryErrorKind;

/// A component of functions that return numbers. Each is an interface, a name and the number; an empty interface is the
/// root.
fn numbers(functions: &[(&str, &str, u32)]) -> String {
    let core: String = functions
        .iter()
        .map(|(interface, name, number)| {
            format!("(func (export \"{interface}.{name}\") (result i32) (i32.const {number}))")
        })
        .collect();
    let lift =
        |interface: &str, name: &str| format!("(func (result u32) (canon lift (core func $i \"{interface}.{name}\")))");
    let mut exports = String::new();
    for (interface, name, _) in functions.iter().filter(|(interface, ..)| interface.is_empty()) {
        exports.push_str(&format!(
            "(func (export \"{name}\") (result u32) (canon lift (core func $i \"{interface}.{name}\")))"
        ));
    }
    let mut interfaces: Vec<_> =
        functions.iter().map(|(interface, ..)| *interface).filter(|name| !name.is_empty()).collect();
    interfaces.dedup();
    for (index, interface) in interfaces.iter().enumerate() {
        let own = || functions.iter().filter(|(of, ..)| of == interface);
        let lifted: String = own()
            .map(|(_, name, _)| format!("(func $f{index}{name} {}", &lift(interface, name)["(func ".len()..]))
            .collect();
        let shown: String = own().map(|(_, name, _)| format!("(export \"{name}\" (func $f{index}{name}))")).collect();
        exports
            .push_str(&format!("{lifted} (instance $n{index} {shown}) (export \"{interface}\" (instance $n{index}))"));
    }
    format!("(component (core module $m {core}) (core instance $i (instantiate $m)) {exports})")
}

#[tokio::test]
async fn a_function_is_named_by_its_shortest_unambiguous_name() {
    let functions = [
        ("", "root", 1),
        ("a:shop/cart@1.0.0", "add", 2),
        ("a:shop/list@1.0.0", "add", 3),
        ("a:shop/list@1.0.0", "root", 4),
    ];
    let runtime = runtime_with("f", &numbers(&functions)).await.unwrap();
    let cases = [
        ("f:root", "1"),
        ("f:cart.add", "2"),
        ("f:list.add", "3"),
        ("f:list.root", "4"),
        ("f:a:shop/cart.add", "2"),
        ("f:add", "not_found: function f has several exports \"add\"; name one of them: cart.add, list.add"),
        ("f:sub", "not_found: function f has no export \"sub\"; it has: cart.add, list.add, list.root, root"),
        (
            "f",
            "not_found: function f has several exports; name one as f:EXPORT. It has: cart.add, list.add, list.root, root",
        ),
    ];
    for (function, expected) in cases {
        assert_eq!(call(&runtime, function, "").await, expected, "{function}");
    }
}

#[tokio::test]
async fn the_only_function_or_the_one_of_the_same_name_needs_no_name() {
    let only = runtime_with("f", &numbers(&[("a:b/c", "only", 7)])).await.unwrap();
    assert_eq!(call(&only, "f", "").await, "7");
    let same = runtime_with("add-item", &numbers(&[("", "add-item", 1), ("", "other", 2)])).await.unwrap();
    assert_eq!(call(&same, "add-item", "").await, "1");
}

const RESOURCE: &str = r#"
    (type $r (resource (rep i32)))
    (export $e "cart" (type $r))
    (core func $new (canon resource.new $r))
    (core module $m (import "" "new" (func $new (param i32) (result i32)))
        (func (export "open") (result i32) (call $new (i32.const 1)))
        (func (export "seven") (result i32) (i32.const 7)))
    (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
    (func (export "open") (result (own $e)) (canon lift (core func $i "open")))"#;

#[tokio::test]
async fn a_function_of_a_resource_is_listed_and_refused() {
    let only = runtime_with("f", &format!("(component {RESOURCE})")).await.err().unwrap();
    let why = "its result holds a resource, which no JSON value can stand for";
    let detail = format!("none of the component's functions can be called with JSON; of open, {why}");
    assert_eq!((only.kind(), only.detail()), (RegistryErrorKind::Invalid, detail.as_str()));

    let seven = r#"(func (export "seven") (result u32) (canon lift (core func $i "seven")))"#;
    let mixed = runtime_with("f", &format!("(component {RESOURCE} {seven})")).await.unwrap();
    // `seven` is the only function that can be called, so the call need not name it.
    assert_eq!(call(&mixed, "f", "").await, "7");
    assert_eq!(call(&mixed, "f:open", "").await, format!("not_found: open cannot be called with JSON: {why}"));
    let info = mixed.inspect(&"f".parse().unwrap()).await.unwrap();
    let refused: Vec<_> = info.exports.iter().map(|export| export.typed.as_ref().unwrap().refused.as_deref()).collect();
    assert_eq!(refused, [Some(why), None]);
}

#[tokio::test]
async fn a_component_without_functions_is_refused() {
    let error = runtime_with("f", "(component)").await.err().unwrap();
    assert!(error.detail().contains("there is nothing to call"), "{error}");
}

/// A component whose only function returns a value of the type `result`, which `code` writes at the address 0.
fn returning(result: &str, code: &str) -> String {
    format!(
        r#"(component
            (core module $m (memory (export "memory") 1) (data (i32.const 64) "sold out")
                (func (export "f") (result i32) {code} (i32.const 0)))
            (core instance $i (instantiate $m))
            (func (export "f") (result {result}) (canon lift (core func $i "f") (memory (core memory $i "memory")))))"#
    )
}

#[tokio::test]
async fn a_function_that_returns_a_result_answers_with_its_value_or_an_error() {
    const FAILED: &str = "(i32.store8 (i32.const 0) (i32.const 1))";
    const TEXT: &str = "(i32.store (i32.const 4) (i32.const 64)) (i32.store (i32.const 8) (i32.const 8))";

    let cases = [
        ("(result u32 (error string))", "(i32.store (i32.const 4) (i32.const 9))".to_owned(), "9"),
        ("(result string (error string))", TEXT.to_owned(), "\"sold out\""),
        (
            "(result u32 (error string))",
            format!("{FAILED} {TEXT}"),
            "guest_error: the function returned an error: \"sold out\" \"sold out\"",
        ),
        ("(result u32)", FAILED.to_owned(), "guest_error: the function returned an error null"),
        (
            "(tuple u32 u32)",
            "unreachable".to_owned(),
            "guest_fault: the function trapped: wasm `unreachable` instruction executed",
        ),
    ];
    for (result, code, expected) in cases {
        let runtime = runtime_with("f", &returning(result, &code)).await.unwrap();
        assert_eq!(call(&runtime, "f", "").await, expected, "{result} {code}");
    }
}

#[tokio::test]
async fn a_result_outside_of_the_guests_memory_is_its_fault() {
    // A string whose gigabyte is not in the guest's memory, and a list of 62 KiB that is.
    let size =
        |size: u32| format!("(i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const {size}))");
    let outside = runtime_with("f", &returning("string", &size(1 << 30))).await.unwrap();
    assert!(call(&outside, "f", "").await.starts_with("guest_fault: "));
    let large = runtime_with("f", &returning("(list u64)", &size(8_000).replace("64", "0"))).await.unwrap();
    assert!(call(&large, "f", "").await.starts_with('['));
}
