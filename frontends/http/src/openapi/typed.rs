//! Describes functions of WIT types. Their schemas were made when the functions were published.

use nebula_runtime::{TypedExport, TypedParam};
use serde_json::{Map, Value, json};

use super::call::{Call, Parameter};

/// The call of a typed export of this function.
pub(super) fn call(function: &str, typed: &TypedExport) -> Call {
    let shown = |schema: &Value| referring(function, schema);
    let parameter = |param: &TypedParam| {
        let schema = in_path(typed, &param.schema).filter(|_| param.required)?;
        Some(Parameter { name: param.name.clone(), schema: shown(&schema) })
    };
    let (body, body_required) = body(&typed.params);
    let (summary, definitions) = typed.wit.split_once('\n').unwrap_or((&typed.wit, ""));
    let description = [typed.docs.clone(), (!definitions.is_empty()).then(|| format!("```wit\n{definitions}\n```"))];
    let description: Vec<_> = description.into_iter().flatten().collect();
    Call {
        summary: summary.to_owned(),
        description: (!description.is_empty()).then(|| description.join("\n\n")),
        in_path: typed.params.iter().map(parameter).collect(),
        body: body.map(|body| shown(&body)),
        body_required,
        needs_arguments: typed.params.iter().any(|param| param.required),
        result: shown(&typed.result),
        error: typed.error.as_ref().map(shown),
        has_tags: false,
    }
}

/// The named types of a function's export, for the components of the document.
pub(super) fn types(function: &str, typed: &TypedExport) -> impl Iterator<Item = (String, Value)> {
    typed.types.iter().map(move |(name, schema)| (component(function, name), referring(function, schema)))
}

/// The media type object of the body, and whether a body is required. The body is the only argument itself, or an
/// object with all arguments by name.
fn body(params: &[TypedParam]) -> (Option<Value>, bool) {
    match params {
        [] => (None, false),
        // Required, although no body means `null`: client generators fail at a body that can be both `null` and
        // missing.
        [only] => (Some(json!({"schema": only.schema, "example": only.example})), true),
        params => {
            let pairs = |value: fn(&TypedParam) -> &Value| -> Map<String, Value> {
                params.iter().map(|param| (param.name.clone(), value(param).clone())).collect()
            };
            let required: Vec<_> = params.iter().filter(|param| param.required).map(|param| &param.name).collect();
            let schema = json!({
                "type": "object", "properties": pairs(|param| &param.schema), "required": required,
                "additionalProperties": false,
            });
            let any = !required.is_empty();
            (Some(json!({"schema": schema, "example": pairs(|param| &param.example)})), any)
        }
    }
}

/// The schema of a parameter in the path, if it can be there: its value is not a list and not an object.
fn in_path(typed: &TypedExport, schema: &Value) -> Option<Value> {
    let named = schema.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix(DEFINITIONS));
    let resolved = named.map_or(Some(schema), |name| typed.types.get(name))?;
    let is_number = || resolved.get("anyOf").and_then(|of| of.get(0)).is_some_and(|of| of.get("format").is_some());
    match resolved.get("type").and_then(Value::as_str) {
        Some("string") if resolved.get("enum").is_none() => {
            let mut longer = resolved.clone();
            longer.as_object_mut()?.entry("minLength").or_insert(json!(1));
            Some(longer)
        }
        Some("integer" | "boolean" | "string") => Some(schema.clone()),
        _ => is_number().then(|| schema.clone()),
    }
}

const DEFINITIONS: &str = "#/$defs/";

fn component(function: &str, name: &str) -> String {
    format!("{function}.{name}")
}

/// The schema with references to the components of the document.
fn referring(function: &str, schema: &Value) -> Value {
    match schema {
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| match value.as_str().and_then(|to| to.strip_prefix(DEFINITIONS)) {
                Some(name) if key == "$ref" => {
                    (key.clone(), format!("#/components/schemas/{}", component(function, name)).into())
                }
                _ => (key.clone(), referring(function, value)),
            })
            .collect(),
        Value::Array(items) => items.iter().map(|item| referring(function, item)).collect(),
        other => other.clone(),
    }
}
