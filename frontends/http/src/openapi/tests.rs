use super::*;
use crate::index::tests::function;

#[test]
fn only_a_get_that_asks_for_it_by_name_wants_a_description() {
    let cases = [
        (Method::GET, "application/openapi+json", true),
        (Method::GET, "application/openapi+json;version=3.1", true),
        (Method::GET, "*/*", false),
        (Method::POST, "application/openapi+json", false),
    ];
    for (method, accept, wanted) in cases {
        let headers = HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]);
        assert_eq!(is_wanted(&method, &headers), wanted, "{method} {accept}");
    }
}

#[test]
fn a_small_server_is_described_as_it_was() {
    let item = json!({"type": "object", "properties": {"sku": {"type": "string"}}, "required": ["sku"]});
    let typed = json!({
        "wit": "add: func(item: item, n: u8) -> result<u8, string>\n  record item { sku: string }",
        "docs": "Adds an item.",
        "params": [
            {"name": "item", "required": true, "schema": {"$ref": "#/$defs/item"}, "example": {"sku": "text"}},
            {"name": "n", "required": true, "schema": {"type": "integer"}, "example": 1},
        ],
        "result": {"type": "integer"}, "error": {"type": "string"}, "types": {"item": item},
    });
    let refused = json!({"refused": "its result holds a resource"});
    let shop = json!([
        {"name": "add", "params": ["item", "u8"], "results": ["result<u8, string>"], "typed": typed},
        {"name": "open", "params": [], "results": [], "typed": refused},
    ]);
    let calc = json!([
        {"name": "div", "params": ["i64", "i64"], "results": ["i64"]},
        {"name": "calc", "params": [], "results": ["f32", "f64"]},
    ]);
    let functions = [
        function("calc", "core", &calc),
        function("resize", "command", &json!([])),
        function("shop", "typed", &shop),
        function("site", "http", &json!([])),
    ];
    let text = serde_json::to_string_pretty(&document("Nebula", "1", &functions.each_ref())).unwrap() + "\n";
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/openapi/small_server.json"), &text).unwrap();
    }
    assert_eq!(text, include_str!("small_server.json"), "UPDATE_SNAPSHOTS=1 writes it anew");
}
