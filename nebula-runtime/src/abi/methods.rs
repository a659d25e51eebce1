//! Which methods of HTTP call a function (RFC 9110, section 9).

use http::{HeaderValue, Method, StatusCode, header::ALLOW};

use crate::{Body, Event, Input, Invocation, InvokeError, Response};

/// What calls a function that knows nothing of HTTP, and what asks which methods do.
const OF_PURE: &str = "GET, HEAD, OPTIONS, POST";

/// Checks the method of a request to a function that may look at it.
///
/// # Errors
/// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) for a method that no function is for.
pub(super) fn check(event: &Event) -> Result<(), InvokeError> {
    match method(event) {
        Some(method @ (&Method::CONNECT | &Method::TRACE)) => {
            Err(InvokeError::method_not_allowed(method, Event::METHODS))
        }
        _ => Ok(()),
    }
}

/// What is answered instead of a call of a function that knows nothing of HTTP: that of a request's method would be the
/// same for each.
///
/// Not for the frontends to decide: which kind a function is of, only the runtime knows without reading the store.
pub(super) fn instead_of_call(invocation: &Invocation) -> Option<Result<Response, InvokeError>> {
    match method(&invocation.event)? {
        &Method::GET | &Method::HEAD | &Method::POST => None,
        &Method::OPTIONS => Some(Ok(options(invocation))),
        method => Some(Err(InvokeError::method_not_allowed(method, OF_PURE))),
    }
}

fn method(event: &Event) -> Option<&Method> {
    match event.input() {
        Input::Http(request) => Some(request.method()),
        Input::Payload { .. } => None,
    }
}

fn options(invocation: &Invocation) -> Response {
    let headers = [(ALLOW, HeaderValue::from_static(OF_PURE))].into_iter().collect();
    Response::of_parts(StatusCode::NO_CONTENT, headers, Body::empty(), invocation.report.clone())
}
