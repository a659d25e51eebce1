//! Failures over HTTP (RFC 9457, "Problem Details for HTTP APIs").

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ACCEPT_ENCODING, ALLOW, CONTENT_TYPE, RETRY_AFTER},
};
use nebula_runtime::{ErrorKind, InvocationId, InvokeError, Overload};
use serde::Serialize;
use serde_json::value::RawValue;

/// A failure, in the form of its response's body.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Problem {
    /// One URI for each kind; `about:blank` if the status is the whole reason (RFC 9457, section 4.2.1).
    #[serde(rename = "type")]
    uri: String,
    title: String,
    #[serde(serialize_with = "as_number")]
    status: StatusCode,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<ErrorKind>,
    /// The error that a typed function returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invocation_id: Option<String>,
    #[serde(skip)]
    retry_after: Option<Duration>,
    #[serde(skip)]
    accepted_codings: Option<&'static str>,
    /// The methods that the function takes.
    #[serde(skip)]
    allow: Option<&'static str>,
    #[serde(skip)]
    headers: HeaderMap,
}

/// The status for a body with an unknown content coding (RFC 7694, section 3).
pub(crate) const UNKNOWN_CODING: StatusCode = StatusCode::UNSUPPORTED_MEDIA_TYPE;

/// The reason for a failure's status besides its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// The kind alone.
    Kind,
    /// The function or the server is busy, or the client calls too often.
    Busy(Overload),
    /// The body's content coding.
    Coding,
    /// The method.
    Method,
}

impl Problem {
    /// A failure without an invocation, such as an unknown path or a wrong method.
    pub(crate) fn of_status(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            uri: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or_default().to_owned(),
            status,
            detail: Some(detail.into()),
            kind: None,
            error: None,
            invocation_id: None,
            retry_after: None,
            accepted_codings: None,
            allow: None,
            headers: HeaderMap::new(),
        }
    }

    /// The same failure, with the methods that are allowed.
    pub(crate) fn allowing(self, methods: &'static str) -> Self {
        Self { allow: Some(methods), ..self }
    }

    /// The failure of an invocation, or of the server.
    pub(crate) fn of_error(error: &InvokeError, id: Option<&InvocationId>) -> Self {
        let kind = error.kind();
        let (status, title) = status_and_title(error);
        Self {
            uri: format!("urn:nebula:error:{kind}"),
            title: title.to_owned(),
            status,
            // The cause is for the operator, and in the log.
            detail: (kind != ErrorKind::Internal).then(|| error.detail().to_owned()),
            kind: Some(kind),
            error: error.guest_error().map(ToOwned::to_owned),
            invocation_id: id.map(ToString::to_string),
            retry_after: error.retry_after(),
            accepted_codings: error.accepted_codings(),
            allow: error.allowed_methods(),
            headers: error.headers().clone(),
        }
    }
}

/// The status with which a failure is answered.
pub fn error_status(error: &InvokeError) -> StatusCode {
    status_and_title(error).0
}

/// The statuses that failures of a kind can have, if the function takes the request's method. Only a busy function or
/// server and an unknown content coding have a status of their own.
pub(crate) fn statuses(kind: ErrorKind) -> [(StatusCode, &'static str); 3] {
    [Reason::Busy(Overload::Function), Reason::Kind, Reason::Coding].map(|reason| status_of(kind, reason))
}

fn status_and_title(error: &InvokeError) -> (StatusCode, &'static str) {
    let coding = error.accepted_codings().map(|_| Reason::Coding);
    let method = error.allowed_methods().map(|_| Reason::Method);
    status_of(error.kind(), coding.or(method).or(error.overload().map(Reason::Busy)).unwrap_or(Reason::Kind))
}

/// The one place where kinds become statuses.
fn status_of(kind: ErrorKind, reason: Reason) -> (StatusCode, &'static str) {
    match (kind, reason) {
        (ErrorKind::NotFound, _) => (StatusCode::NOT_FOUND, "No such function"),
        (ErrorKind::InvalidInput, Reason::Method) => {
            (StatusCode::METHOD_NOT_ALLOWED, "The function does not take the method")
        }
        (ErrorKind::InvalidInput, Reason::Coding) => (UNKNOWN_CODING, "The body's content coding is not known"),
        (ErrorKind::InvalidInput, _) => (StatusCode::BAD_REQUEST, "The input does not fit the function"),
        (ErrorKind::PayloadTooLarge, _) => (StatusCode::PAYLOAD_TOO_LARGE, "The request is too large"),
        (ErrorKind::InvalidModule, _) => (StatusCode::INTERNAL_SERVER_ERROR, "The function's module cannot run here"),
        (ErrorKind::GuestError, _) => (StatusCode::UNPROCESSABLE_ENTITY, "The function returned an error"),
        (ErrorKind::GuestFault, _) => (StatusCode::BAD_GATEWAY, "The function failed"),
        (ErrorKind::Timeout, _) => (StatusCode::GATEWAY_TIMEOUT, "The function took too long"),
        (ErrorKind::LimitExceeded, _) => (StatusCode::BAD_GATEWAY, "The function went over a limit"),
        (ErrorKind::Overloaded, Reason::Busy(Overload::Function)) => {
            (StatusCode::TOO_MANY_REQUESTS, "The function is busy")
        }
        (ErrorKind::Overloaded, Reason::Busy(Overload::Client)) => {
            (StatusCode::TOO_MANY_REQUESTS, "The client calls too often")
        }
        (ErrorKind::Overloaded, _) => (StatusCode::SERVICE_UNAVAILABLE, "The server is busy"),
        (ErrorKind::Unavailable, _) => {
            (StatusCode::SERVICE_UNAVAILABLE, "Something that the server needs is out of reach")
        }
        (ErrorKind::Internal, _) => (StatusCode::INTERNAL_SERVER_ERROR, "The server failed"),
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // A value of strings and numbers always serializes.
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(codings) = self.accepted_codings {
            response.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static(codings));
        }
        if let Some(methods) = self.allow {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
        }
        if let Some(after) = self.retry_after {
            // Rounded up: RFC 9110, section 10.2.3 has whole seconds only, and 0 would invite a storm.
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(after.as_secs_f64().ceil().max(1.0) as u64));
        }
        response.headers_mut().extend(self.headers);
        response
    }
}

fn as_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use serde_json::{Value, json};

    use super::*;

    async fn sent(problem: Problem) -> (u16, Option<String>, String, Value) {
        let (parts, body) = problem.into_response().into_parts();
        let header = |name| parts.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let body = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
        (parts.status.as_u16(), header(RETRY_AFTER), header(CONTENT_TYPE).unwrap(), body)
    }

    fn expected(kind: ErrorKind) -> (u16, Option<&'static str>, &'static str) {
        match kind {
            ErrorKind::NotFound => (404, Some("x"), "No such function"),
            ErrorKind::InvalidInput => (400, Some("x"), "The input does not fit the function"),
            ErrorKind::PayloadTooLarge => (413, Some("x"), "The request is too large"),
            ErrorKind::InvalidModule => (500, Some("x"), "The function's module cannot run here"),
            ErrorKind::GuestError => (422, Some("x"), "The function returned an error"),
            ErrorKind::GuestFault => (502, Some("x"), "The function failed"),
            ErrorKind::Timeout => (504, Some("x"), "The function took too long"),
            ErrorKind::LimitExceeded => (502, Some("x"), "The function went over a limit"),
            ErrorKind::Overloaded => (503, Some("x"), "The server is busy"),
            ErrorKind::Unavailable => (503, Some("x"), "Something that the server needs is out of reach"),
            ErrorKind::Internal => (500, None, "The server failed"),
        }
    }

    #[tokio::test]
    async fn every_kind_has_its_status_and_its_whole_body() {
        for kind in ErrorKind::ALL {
            let (status, detail, title) = expected(kind);
            let uri = format!("urn:nebula:error:{kind}");
            let mut body =
                json!({"type": uri, "title": title, "status": status, "kind": kind, "invocation_id": "id-1"});
            if let Some(detail) = detail {
                body["detail"] = detail.into();
            }
            let error = InvokeError::new(kind, "x").with_source(std::io::Error::other("secret"));
            let problem = Problem::of_error(&error, Some(&InvocationId::given("id-1")));
            assert_eq!(sent(problem).await, (status, None, "application/problem+json".to_owned(), body));
        }
    }

    #[tokio::test]
    async fn a_busy_function_and_a_busy_server_have_different_statuses() {
        let cases =
            [(Overload::Function, 429, 1, "1"), (Overload::Client, 429, 1, "1"), (Overload::Server, 503, 1_200, "2")];
        for (overload, status, millis, retry_after) in cases {
            let error = InvokeError::overloaded(overload, Duration::from_millis(millis), "busy");
            let (sent_status, sent_after, _, _) = sent(Problem::of_error(&error, None)).await;
            assert_eq!((sent_status, sent_after), (status, Some(retry_after.to_owned())));
        }
    }

    #[tokio::test]
    async fn the_answer_to_an_unknown_coding_lists_the_known_ones() {
        let error = InvokeError::unsupported_coding("br, gzip", "x");
        let response = Problem::of_error(&error, None).into_response();
        assert_eq!(
            (response.status().as_u16(), &response.headers()[ACCEPT_ENCODING]),
            (415, &"br, gzip".parse().unwrap())
        );
    }

    #[tokio::test]
    async fn the_error_that_a_function_returned_is_a_member_of_the_body() {
        let returned = RawValue::from_string(r#"{"out-of-stock":["a"]}"#.to_owned()).unwrap();
        let error = InvokeError::new(ErrorKind::GuestError, "x").with_guest_error(returned);
        let (status, _, _, body) = sent(Problem::of_error(&error, None)).await;
        assert_eq!((status, &body["error"]), (422, &json!({"out-of-stock": ["a"]})));
    }
}
