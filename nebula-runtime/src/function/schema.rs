//! The JSON Schemas (2020-12) that functions of numbers and functions of WIT types share.

use serde_json::{Value, json};

/// The least number that no `f32` is near: 2^128, less a half of the last place of the greatest `f32`.
const F32_LIMIT: f64 = 3.402_823_567_797_336_6e38;

/// The schema of a number of this type: `i32`, `i64`, `f32` or `f64`.
#[must_use]
pub fn number(ty: &str) -> Value {
    match ty {
        "i32" => json!({"type": "integer", "format": "int32", "minimum": i32::MIN, "maximum": i32::MAX}),
        "i64" => json!({"type": "integer", "format": "int64", "minimum": i64::MIN, "maximum": i64::MAX}),
        "f32" => float(
            &json!({"type": "number", "format": "float", "exclusiveMinimum": -F32_LIMIT, "exclusiveMaximum": F32_LIMIT}),
        ),
        _ => float(&json!({"type": "number", "format": "double"})),
    }
}

fn float(schema: &Value) -> Value {
    json!({"anyOf": [schema, {"enum": ["NaN", "Infinity", "-Infinity"]}]})
}

/// The schema of an array with a value of each of these schemas.
#[must_use]
pub fn tuple(types: &[Value]) -> Value {
    let count = types.len();
    match types.split_first() {
        // The same said simply, which more tools understand.
        Some((first, rest)) if rest.iter().all(|ty| ty == first) => {
            json!({"type": "array", "items": first, "minItems": count, "maxItems": count})
        }
        _ => json!({"type": "array", "prefixItems": types, "minItems": count, "maxItems": count}),
    }
}
