//! Functions of numbers: the exports of core modules.

use nebula_runtime::Export;
use serde_json::{Value, json};

use super::function::{Call, Parameter};

/// How an export of a core module is called.
pub(super) fn call(export: &Export) -> Call {
    let types: Vec<_> = export.params.iter().map(|ty| number(ty)).collect();
    let parameter =
        |(index, schema): (usize, &Value)| Parameter { name: format!("arg{index}"), schema: schema.clone() };
    let result = match export.results.as_slice() {
        [] => json!({"type": "null"}),
        [result] => number(result),
        results => tuple(results.iter().map(|ty| number(ty)).collect()),
    };
    Call {
        summary: export.to_string(),
        description: None,
        in_path: Some(types.iter().enumerate().map(parameter).collect()),
        body: (!types.is_empty()).then(|| json!({"schema": tuple(types)})),
        body_required: true,
        result,
        error: None,
    }
}

/// The greatest `f32` in its shortest text, which as a number of 64 bits is a little more than it is.
const F32_MAX: f64 = 3.402_823_5e38;

fn number(ty: &str) -> Value {
    match ty {
        "i32" => json!({"type": "integer", "format": "int32", "minimum": i32::MIN, "maximum": i32::MAX}),
        "i64" => json!({"type": "integer", "format": "int64", "minimum": i64::MIN, "maximum": i64::MAX}),
        "f32" => float(&json!({"type": "number", "format": "float", "minimum": -F32_MAX, "maximum": F32_MAX})),
        _ => float(&json!({"type": "number", "format": "double"})),
    }
}

fn float(schema: &Value) -> Value {
    json!({"anyOf": [schema, {"enum": ["NaN", "Infinity", "-Infinity"]}]})
}

fn tuple(types: Vec<Value>) -> Value {
    let count = types.len();
    match types.split_first() {
        // The same said simply, which more tools understand.
        Some((first, rest)) if rest.iter().all(|ty| ty == first) => {
            json!({"type": "array", "items": first, "minItems": count, "maxItems": count})
        }
        _ => json!({"type": "array", "prefixItems": types, "minItems": count, "maxItems": count}),
    }
}
