use super::*;
use crate::index::tests::function;

#[test]
fn only_a_get_that_names_the_media_type_asks_for_a_description() {
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

/// The description of one function of each kind, with all features.
fn small_server() -> Value {
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
        {"name": "half", "params": ["f32"], "results": ["f32"]},
    ]);
    let mut kept = function("square", "core", &json!([{"name": "square", "params": ["i32"], "results": ["i32"]}]));
    kept.config = serde_json::from_value(json!({"limits": {}, "cache": "pure"})).unwrap();
    let functions = [
        function("calc", "core", &calc),
        function("resize", "command", &json!([])),
        function("shop", "typed", &shop),
        function("site", "http", &json!([])),
        kept,
    ];
    document("Nebula", "1", &functions.each_ref())
}

#[test]
fn the_description_of_a_small_server_is_unchanged() {
    let text = serde_json::to_string_pretty(&small_server()).unwrap() + "\n";
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/openapi/small_server.json"), &text).unwrap();
    }
    assert_eq!(text, include_str!("small_server.json"), "UPDATE_SNAPSHOTS=1 writes it anew");
}

/// Adds every object in `value`, with the key that leads to it.
fn objects<'a>(key: &'a str, value: &'a Value, found: &mut Vec<(&'a str, &'a Map<String, Value>)>) {
    match value {
        Value::Object(members) => {
            found.push((key, members));
            members.iter().for_each(|(key, value)| objects(key, value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| objects("", item, found)),
        _ => {}
    }
}

#[test]
fn every_media_type_has_a_schema_every_operation_a_name_and_every_reference_leads_somewhere() {
    let (document, mut found) = (small_server(), Vec::new());
    objects("", &document, &mut found);
    let media = found.iter().filter(|(key, _)| *key == "content").flat_map(|(_, content)| content.iter());
    let without: Vec<_> = media.clone().filter(|(_, media)| media.get("schema").is_none()).collect();
    assert_eq!((media.count() > 20, without), (true, vec![]));
    let references: Vec<_> = found.iter().filter_map(|(_, object)| object.get("$ref")?.as_str()).collect();
    let lost: Vec<_> = references.iter().filter(|to| document.pointer(&to[1..]).is_none()).collect();
    assert_eq!((references.len() > 20, lost), (true, Vec::new()));
    let names: Vec<_> = found.iter().filter_map(|(_, object)| object.get("operationId")?.as_str()).collect();
    let distinct: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!((names.len() > 8, distinct.len()), (true, names.len()));
}

#[test]
fn a_command_answers_with_the_media_type_of_its_configuration() {
    let cases = [
        ("image/png", json!({"type": "string", "format": "binary"})),
        ("text/csv; charset=utf-8", json!({"type": "string"})),
        ("application/json", json!({})),
        ("application/ld+json", json!({})),
    ];
    for (media_type, schema) in cases {
        let mut command = function("thumb", "command", &json!([]));
        command.config.content_type = Some(media_type.to_owned());
        let content =
            &document("Nebula", "1", &[&command])["paths"]["/api/thumb"]["post"]["responses"]["200"]["content"];
        assert_eq!(content, &json!({media_type: {"schema": schema}}));
    }
}
