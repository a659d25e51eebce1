//! Describes the failures of invocations.

use std::collections::BTreeMap;

use nebula_runtime::ErrorKind;
use serde_json::{Map, Value, json};

use crate::problem::{UNKNOWN_CODING, statuses};

/// The schema of the body of a failure.
pub(super) fn schema() -> Value {
    json!({
        "description": "Why a call failed (RFC 9457).",
        "type": "object",
        "required": ["type", "title", "status"],
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "kind": {"type": "string", "enum": ErrorKind::ALL},
            "error": {"description": "What the function returned as its error."},
            "invocation_id": {"type": "string"},
        },
    })
}

/// A response for each status that a failure can have.
pub(super) fn responses() -> Map<String, Value> {
    let response = |(status, kinds): (u16, Vec<String>)| {
        let schema = json!({"$ref": "#/components/schemas/Problem"});
        let content = json!({"application/problem+json": {"schema": schema}});
        (name(status), json!({"description": kinds.join("; "), "content": content}))
    };
    by_status().into_iter().map(response).collect()
}

/// The failures of a function that takes octets.
pub(super) fn of_function() -> Map<String, Value> {
    let own = [ErrorKind::GuestError].iter().flat_map(|kind| statuses(*kind)).map(|(status, _)| status.as_u16());
    let own: Vec<_> = own.chain([UNKNOWN_CODING.as_u16()]).collect();
    by_status().into_keys().filter(|status| !own.contains(status)).map(shared).collect()
}

/// The failures of a function that takes values. `error` is the schema of the errors that the function returns, if it
/// has one.
pub(super) fn of_call(error: Option<&Value>) -> Map<String, Value> {
    let mut responses = of_function();
    responses.extend([shared(UNKNOWN_CODING.as_u16())]);
    if let Some(error) = error {
        let own = json!({"type": "object", "required": ["error"], "properties": {"error": error}});
        let schema = json!({"allOf": [{"$ref": "#/components/schemas/Problem"}, own]});
        let content = json!({"application/problem+json": {"schema": schema}});
        let response = json!({"description": "The function returned an error", "content": content});
        responses
            .extend(statuses(ErrorKind::GuestError).map(|(status, _)| (status.as_str().to_owned(), response.clone())));
    }
    responses
}

fn shared(status: u16) -> (String, Value) {
    (status.to_string(), json!({"$ref": format!("#/components/responses/{}", name(status))}))
}

fn name(status: u16) -> String {
    format!("Problem{status}")
}

/// The kinds of each status, with their titles.
fn by_status() -> BTreeMap<u16, Vec<String>> {
    let mut by_status: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for kind in ErrorKind::ALL {
        for (status, title) in statuses(kind) {
            let told = format!("{title} ({kind})");
            let kinds = by_status.entry(status.as_u16()).or_default();
            if !kinds.contains(&told) {
                kinds.push(told);
            }
        }
    }
    by_status
}
