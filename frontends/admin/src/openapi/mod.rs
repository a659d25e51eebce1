//! Describes the admin API in OpenAPI 3.1.

mod invocation;
mod object;
mod operations;
mod parts;
mod schemas;
mod services;

use serde_json::{Map, Value, json};

use crate::problem::Kind;

/// The media type of the description.
pub(crate) const MEDIA_TYPE: &str = "application/openapi+json";

/// The description. It is the same for every server of this version.
pub(crate) fn document() -> Value {
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "Nebula admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Publishes functions, moves their aliases, and removes versions. A change of a function is \
                            made only if If-Match holds, where the request has it. Reads and changes what functions keep \
                            in services.",
        },
        "security": [{"token": []}],
        "paths": paths(),
        "components": {
            "securitySchemes": {"token": {
                "type": "http",
                "scheme": "bearer",
                "description": "A token of `nebula token create`.",
            }},
            "parameters": operations::parameters(),
            "responses": {"Problem": {
                "description": problems(),
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            }},
            "headers": {"ETag": {
                "description": "The revision of the function, for If-Match",
                "schema": {"type": "string"},
            }},
            "schemas": schemas::schemas(),
        },
    })
}

fn paths() -> Map<String, Value> {
    operations::paths().into_iter().chain(services::paths()).collect()
}

/// The kinds of failures, with their statuses.
fn problems() -> String {
    let kinds = Kind::ALL.map(|kind| format!("{} {}", kind.status().0.as_u16(), kind.as_str()));
    format!("Why the request failed: {}", kinds.join(", "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// All values of `$ref` in a document.
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                members.get("$ref").and_then(Value::as_str).into_iter().for_each(|path| found.push(path.to_owned()));
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_to_a_definition() {
        let document = document();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 20);
        for path in found {
            assert!(document.pointer(path.trim_start_matches('#')).is_some(), "{path}");
        }
    }

    #[test]
    fn the_description_has_every_key_of_a_configuration() {
        let refused = serde_json::from_str::<nebula_runtime::FunctionConfig>(r#"{"?":1}"#).unwrap_err().to_string();
        let expected: BTreeSet<_> = refused.split('`').skip(3).step_by(2).collect();
        let document = document();
        let described = document["components"]["schemas"]["Configuration"]["properties"].as_object().unwrap();
        assert_eq!(described.keys().map(String::as_str).collect::<BTreeSet<_>>(), expected, "{refused}");
    }

    #[test]
    fn every_operation_has_an_id_of_its_own_and_a_response_for_failures() {
        let document = document();
        let paths = document["paths"].as_object().unwrap();
        let operations = paths.iter().flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters");
            methods.map(move |(method, operation)| (path, method, operation))
        });
        let mut ids = BTreeSet::new();
        for (path, method, operation) in operations {
            assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{method} {path}");
            let is_open = operation["security"] == json!([]);
            assert_eq!(operation["responses"].get("default").is_none(), is_open, "{method} {path}");
        }
    }
}
