//! The parts that schemas are made of.

use serde_json::{Value, json};

use super::object::object;

pub(super) fn record<const N: usize>(required: &[&str], properties: [(&'static str, Value); N]) -> Value {
    json!({"type": "object", "required": required, "properties": object(properties)})
}

pub(super) fn named(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

pub(super) fn list(items: &Value) -> Value {
    json!({"type": "array", "items": items})
}

pub(super) fn text() -> Value {
    json!({"type": "string"})
}

pub(super) fn size() -> Value {
    json!({"type": "integer", "minimum": 0})
}

pub(super) fn moment() -> Value {
    json!({"type": "string", "format": "date-time"})
}
