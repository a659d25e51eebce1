//! Describes functions of octets, which are commands and HTTP handlers.

use nebula_runtime::FunctionInfo;
use serde_json::{Map, Value, json};

use super::{call::answered, problems};

/// The description of a command, which reads a body and writes another.
pub(super) fn of_command(function: &FunctionInfo) -> Value {
    let content = function.config.content_type.as_deref().map_or_else(anything, of_type);
    let summary = "Writes its standard output for its standard input";
    let responses = answered(&content, false, problems::of_function());
    item(function.name.as_str(), summary, &responses, &[("get", "get", false), ("post", "call", true)])
}

/// The description of a handler, which takes any method.
pub(super) fn of_handler(name: &str) -> Value {
    const METHODS: [(&str, &str, bool); 5] = [
        ("delete", "delete", false),
        ("get", "get", false),
        ("patch", "patch", true),
        ("post", "call", true),
        ("put", "put", true),
    ];

    let summary = "Answers HTTP requests, to this path and to all below it";
    let responses = json!({"default": {"description": "What the function answers", "content": anything()}});
    item(name, summary, &responses, &METHODS)
}

/// The operations of a path. Each has a method, a name, and a flag for whether it takes a body.
fn item(name: &str, summary: &str, responses: &Value, operations: &[(&str, &str, bool)]) -> Value {
    let operation = |&(method, called, takes_body): &(&str, &str, bool)| {
        let mut operation = json!({
            "operationId": format!("{name}.{called}"), "tags": [name], "summary": summary, "responses": responses,
        });
        if let Some(operation) = operation.as_object_mut().filter(|_| takes_body) {
            operation.insert("requestBody".to_owned(), body());
        }
        (method.to_owned(), operation)
    };
    operations.iter().map(operation).collect::<Map<_, _>>().into()
}

/// A body of any media type. Client generators support this type, but leave out operations with `*/*`.
fn body() -> Value {
    json!({"description": "Any octets, of any media type", "content": {OCTETS: {"schema": octets()}}})
}

/// A response of any media type. Client generators use the first type that they support, so that they return octets.
fn anything() -> Value {
    json!({"*/*": {"schema": {}}, OCTETS: {"schema": octets()}})
}

/// A response of this media type.
fn of_type(media_type: &str) -> Value {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let schema = match essence.as_str() {
        "application/json" => json!({}),
        json if json.ends_with("+json") => json!({}),
        text if text.starts_with("text/") => json!({"type": "string"}),
        _ => octets(),
    };
    json!({media_type: {"schema": schema}})
}

const OCTETS: &str = "application/octet-stream";

/// The schema of octets in the form of OpenAPI 3.0, which 3.1 allows and which more generators support.
fn octets() -> Value {
    json!({"type": "string", "format": "binary"})
}
