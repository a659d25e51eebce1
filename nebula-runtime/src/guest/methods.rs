//! The HTTP methods that call a function (RFC 9110, section 9).

use http::{HeaderValue, Method, StatusCode, header::ALLOW};

use crate::call::{Body, Event, Input, Invocation, InvokeError, Response};

/// The methods of a function that does not see the HTTP request.
const ALLOWED_METHODS: &str = "GET, HEAD, OPTIONS, POST";

/// Checks the method of a request to a function that sees the request.
///
/// # Errors
/// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) for a method that no function can serve.
pub(super) fn check(event: &Event) -> Result<(), InvokeError> {
    match method(event) {
        Some(method @ (&Method::CONNECT | &Method::TRACE)) => {
            Err(InvokeError::method_not_allowed(method, Event::METHODS))
        }
        _ => Ok(()),
    }
}

/// For a function that does not see the HTTP request: the answer to a request whose method does not call it. `None` if
/// the request calls the function.
///
/// A frontend cannot decide this, because only the runtime knows a function's kind without reading the store.
pub(super) fn instead_of_call(invocation: &Invocation) -> Option<Result<Response, InvokeError>> {
    match method(&invocation.event)? {
        &Method::GET | &Method::HEAD | &Method::POST => None,
        &Method::OPTIONS => Some(Ok(options(invocation))),
        method => Some(Err(InvokeError::method_not_allowed(method, ALLOWED_METHODS))),
    }
}

fn method(event: &Event) -> Option<&Method> {
    match event.input() {
        Input::Http(request) => Some(request.method()),
        Input::Payload { .. } => None,
    }
}

fn options(invocation: &Invocation) -> Response {
    let headers = [(ALLOW, HeaderValue::from_static(ALLOWED_METHODS))].into_iter().collect();
    Response::of_parts(StatusCode::NO_CONTENT, headers, Body::empty(), invocation.report.clone())
}
