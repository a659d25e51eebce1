//! Answers to the host of Azure Functions.

use std::collections::BTreeMap;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use nebula_runtime::{ErrorKind, InvocationId, InvokeError};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::bindings::Bindings;

/// The result of a function ("Response payload").
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Answer<'a> {
    outputs: BTreeMap<&'a str, Box<RawValue>>,
    /// The lines that the function wrote to its stderr. They are in the log of this process, too.
    logs: Vec<String>,
    return_value: &'a RawValue,
}

impl<'a> Answer<'a> {
    /// The answer with this result, which also goes to the outputs.
    pub(crate) fn new(bindings: &'a Bindings, result: &'a RawValue, logs: Vec<String>) -> Self {
        let names: Vec<_> = bindings.outputs().collect();
        let outputs = match names.as_slice() {
            [only] => [(*only, result.to_owned())].into(),
            several => members(several, result),
        };
        Self { outputs, logs, return_value: result }
    }
}

/// The members of a result that have the names of outputs. A result that is no object has none.
fn members<'a>(names: &[&'a str], result: &RawValue) -> BTreeMap<&'a str, Box<RawValue>> {
    let mut members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(result.get()).unwrap_or_default();
    names.iter().filter_map(|name| Some((*name, members.remove(*name)?))).collect()
}

impl IntoResponse for Answer<'_> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

/// A failure: a problem document (RFC 9457) as those over HTTP, but each with the status 500. The host puts every other
/// status into its message, too, but treats all of them alike.
#[derive(Debug, Serialize)]
pub(crate) struct Failure {
    #[serde(rename = "type")]
    uri: String,
    title: &'static str,
    status: u16,
    /// The cause of an internal error is for the operator, and in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    kind: ErrorKind,
    invocation_id: String,
}

impl Failure {
    pub(crate) fn new(error: &InvokeError, id: &InvocationId) -> Self {
        let kind = error.kind();
        Self {
            uri: format!("urn:nebula:error:{kind}"),
            title: "The function failed",
            status: StatusCode::INTERNAL_SERVER_ERROR.as_u16(),
            detail: (kind != ErrorKind::Internal).then(|| error.detail().to_owned()),
            kind,
            invocation_id: id.to_string(),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (StatusCode::INTERNAL_SERVER_ERROR, Json(self)).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(outputs: &[&str], result: &str) -> String {
        let output = |name: &&str| format!(r#",{{"type":"queue","direction":"out","name":"{name}"}}"#);
        let outputs: String = outputs.iter().map(output).collect();
        let bindings =
            format!(r#"{{"bindings":[{{"type":"timerTrigger","direction":"in","name":"timer"}}{outputs}]}}"#);
        let (bindings, result) = (Bindings::parse(bindings.as_bytes()).unwrap(), RawValue::from_string(result.into()));
        serde_json::to_string(&Answer::new(&bindings, &result.unwrap(), Vec::new())).unwrap()
    }

    #[test]
    fn a_result_goes_to_the_only_output_or_its_members_go_to_those_of_their_names() {
        let cases: [(&[&str], &str, &str); 5] = [
            (&[], "10", r#"{"Outputs":{},"Logs":[],"ReturnValue":10}"#),
            (&["$return"], "10", r#"{"Outputs":{},"Logs":[],"ReturnValue":10}"#),
            (&["a"], r#"{"a":1}"#, r#"{"Outputs":{"a":{"a":1}},"Logs":[],"ReturnValue":{"a":1}}"#),
            (&["a", "b"], r#"{"b":2,"c":3}"#, r#"{"Outputs":{"b":2},"Logs":[],"ReturnValue":{"b":2,"c":3}}"#),
            (&["a", "b"], "[1]", r#"{"Outputs":{},"Logs":[],"ReturnValue":[1]}"#),
        ];
        for (outputs, result, expected) in cases {
            assert_eq!(answer(outputs, result), expected, "{outputs:?}");
        }
    }
}
