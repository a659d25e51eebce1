//! Tests the descriptions of functions.

use serde_json::json;

use super::components::{call, runtime_with};

/// A component with named types in an interface, and one at its root.
const SHOP: &str = r#"(component
    (core module $m (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
        (func (export "add") (param i32 i32 f64 i32 i32 i32) (result i32) (i32.const 0)))
    (core instance $i (instantiate $m))
    (type $item' (record (field "sku" string) (field "price" f64)))
    (type $error' (enum "empty" "sold-out"))
    (func $add (param "item" $item') (param "n" (option u32)) (param "gift" bool) (result (result u32 (error $error')))
        (canon lift (core func $i "add") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
    (component $cart
        (type $item' (record (field "sku" string) (field "price" f64)))
        (import "import-type-item" (type $item (eq $item')))
        (type $error' (enum "empty" "sold-out"))
        (import "import-type-error" (type $error (eq $error')))
        (import "import-func-add" (func $add
            (param "item" $item) (param "n" (option u32)) (param "gift" bool) (result (result u32 (error $error)))))
        (export $item2 "item" (type $item'))
        (export $error2 "error" (type $error'))
        (export "add" (func $add)
            (func (param "item" $item2) (param "n" (option u32)) (param "gift" bool) (result (result u32 (error $error2))))))
    (instance $cart (instantiate $cart
        (with "import-type-item" (type $item'))
        (with "import-type-error" (type $error'))
        (with "import-func-add" (func $add))))
    (export "a:shop/cart@1.0.0" (instance $cart)))"#;

#[tokio::test]
async fn a_function_is_described_by_its_wit_examples_and_schemas() {
    let runtime = runtime_with("shop", SHOP).await.unwrap();
    let info = runtime.inspect(&"shop".parse().unwrap()).await.unwrap();
    let schema = json!({
        "type": "object", "additionalProperties": false, "required": ["sku", "price"],
        "properties": {
            "sku": {"type": "string"},
            "price": {"anyOf": [
                {"type": "number", "format": "double"}, {"enum": ["NaN", "Infinity", "-Infinity"]},
            ]},
        },
    });
    let u32 = json!({"type": "integer", "format": "uint32", "minimum": 0, "maximum": u32::MAX});
    let expected = json!([{
        "name": "add",
        "params": ["item", "option<u32>", "bool"],
        "results": ["result<u32, error>"],
        "typed": {
            "wit": "add: func(item: item, n: option<u32>, gift: bool) -> result<u32, error>\n  \
                    record item { sku: string, price: f64 }\n  enum error { empty, sold-out }",
            "interface": "a:shop/cart@1.0.0",
            "params": [
                {"name": "item", "required": true, "schema": {"$ref": "#/$defs/item"},
                    "example": {"sku": "text", "price": 1.5}},
                {"name": "n", "required": false, "schema": {"anyOf": [u32, {"type": "null"}]}, "example": 1},
                {"name": "gift", "required": true, "schema": {"type": "boolean"}, "example": true},
            ],
            "result": u32,
            "error": {"$ref": "#/$defs/error"},
            "types": {"item": schema, "error": {"type": "string", "enum": ["empty", "sold-out"]}},
        },
    }]);
    assert_eq!(serde_json::to_value(&info.exports).unwrap(), expected);
    let examples: Vec<_> = info.exports[0].typed.as_ref().unwrap().params.iter().map(|param| &param.example).collect();
    assert_eq!(call(&runtime, "shop", &serde_json::to_string(&examples).unwrap()).await, "0");
}

#[tokio::test]
async fn a_description_has_the_authors_documentation_if_the_component_has_it() {
    let docs = r#"{\"worlds\":{\"root\":{\"func_exports\":{\"f\":{\"docs\":\"Gives nothing.\"}}}}}"#;
    let component = format!(
        r#"(component
            (core module $m (func (export "f")))
            (core instance $i (instantiate $m))
            (func (export "f") (canon lift (core func $i "f")))
            (@custom "package-docs" "\01{docs}"))"#
    );
    let runtime = runtime_with("f", &component).await.unwrap();
    let info = runtime.inspect(&"f".parse().unwrap()).await.unwrap();
    let typed = info.exports[0].typed.as_ref().unwrap();
    assert_eq!((typed.wit.as_str(), typed.docs.as_deref()), ("f: func()", Some("Gives nothing.")));
}
