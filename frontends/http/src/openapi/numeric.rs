//! Functions of numbers: the exports of core modules.

use nebula_runtime::Export;
use serde_json::{Value, json};

use super::call::{Call, Parameter};

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
        body: body(types),
        body_required: true,
        needs_arguments: !export.params.is_empty(),
        result,
        error: None,
    }
}

/// An array of the arguments. One alone is taken as it is too.
fn body(types: Vec<Value>) -> Option<Value> {
    let schema = match types.as_slice() {
        [] => return None,
        [only] => json!({"anyOf": [only, tuple(types.clone())]}),
        _ => tuple(types),
    };
    Some(json!({"schema": schema}))
}

/// The least number that no `f32` is near: 2^128, less a half of the last place of the greatest `f32`.
const F32_LIMIT: f64 = 3.402_823_567_797_336_6e38;

fn number(ty: &str) -> Value {
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
