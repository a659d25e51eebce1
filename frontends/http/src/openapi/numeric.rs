//! Describes functions of numbers, which are the exports of core modules.

use nebula_runtime::{
    Export,
    schema::{number, tuple},
};
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
        results => tuple(&results.iter().map(|ty| number(ty)).collect::<Vec<_>>()),
    };
    Call {
        summary: export.to_string(),
        description: None,
        in_path: Some(types.iter().enumerate().map(parameter).collect()),
        body: body(&types),
        body_required: true,
        needs_arguments: !export.params.is_empty(),
        result,
        error: None,
        has_tags: false,
    }
}

/// The arguments as an array. A single argument can also be without the array.
fn body(types: &[Value]) -> Option<Value> {
    let schema = match types {
        [] => return None,
        [only] => json!({"anyOf": [only, tuple(types)]}),
        _ => tuple(types),
    };
    Some(json!({"schema": schema}))
}
