//! The answers to pages of other origins (Fetch standard, CORS protocol).

use std::{future::ready, sync::Arc};

use futures_util::future::BoxFuture;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
        ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
        ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
    },
};

use crate::{
    call::{Body, Event, Input, Invocation, InvokeError, Invoker, Response, Start},
    function::{Cors, Kind},
};

/// A layer that lets pages of other origins call a function, as its configuration says. It answers preflight requests
/// itself, and adds header fields to answers and failures.
///
/// An HTTP handler answers for itself.
pub(crate) struct CrossOrigin {
    inner: Arc<dyn Invoker>,
    /// For functions that do not set it themselves.
    default: Option<Cors>,
}

impl CrossOrigin {
    pub(crate) fn new(inner: Arc<dyn Invoker>, default: Option<Cors>) -> Self {
        Self { inner, default }
    }

    /// What holds for the function that is called.
    fn cors<'a>(&'a self, invocation: &'a Invocation) -> Option<&'a Cors> {
        let resolved = invocation.resolved()?;
        let own = resolved.config.cors.as_ref();
        own.or(self.default.as_ref()).filter(|_| resolved.kind != Kind::Http)
    }
}

impl Invoker for CrossOrigin {
    /// Written without `async fn`: most functions are for no pages of other origins, and need no future of this layer.
    fn invoke<'a, 'call>(&'a self, invocation: Invocation) -> BoxFuture<'call, Result<Response, InvokeError>>
    where
        'a: 'call,
        Self: 'call,
    {
        let (Some(cors), Input::Http(request)) = (self.cors(&invocation), invocation.event.input()) else {
            return self.inner.invoke(invocation);
        };
        let origin = request.headers().get(ORIGIN).filter(|origin| origin.to_str().is_ok_and(|text| cors.allows(text)));
        let Some(origin) = origin else {
            let headers = if cors.allows_any() { HeaderMap::new() } else { varying() };
            return Box::pin(with_headers(self.inner.invoke(invocation), headers));
        };
        let headers = allowed(cors, origin);
        if is_preflight(request) {
            let headers = preflight(cors, request.headers(), headers);
            // Nothing had to be loaded for it.
            invocation.report.update(|report| report.start = Start::Warm);
            let response =
                Response::of_parts(StatusCode::NO_CONTENT, headers, Body::empty(), invocation.report.clone());
            return Box::pin(ready(Ok(response)));
        }
        Box::pin(with_headers(self.inner.invoke(invocation), headers))
    }
}

async fn with_headers(
    answer: BoxFuture<'_, Result<Response, InvokeError>>,
    headers: HeaderMap,
) -> Result<Response, InvokeError> {
    match answer.await {
        Ok(mut response) => {
            response.headers.extend(headers);
            Ok(response)
        }
        // A page sees why its call failed only if the failure has the fields too.
        Err(error) => Err(error.with_headers(headers)),
    }
}

fn is_preflight(request: &http::Request<Body>) -> bool {
    request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// What caches must know: the answer is another one for another origin.
fn varying() -> HeaderMap {
    HeaderMap::from_iter([(VARY, HeaderValue::from_static("origin"))])
}

/// The fields of every answer to a page of `origin`.
fn allowed(cors: &Cors, origin: &HeaderValue) -> HeaderMap {
    let mut headers = if cors.allows_any() { HeaderMap::new() } else { varying() };
    let any = HeaderValue::from_static("*");
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, if cors.allows_any() { any } else { origin.clone() });
    if cors.credentials {
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    insert_list(&mut headers, ACCESS_CONTROL_EXPOSE_HEADERS, &cors.expose);
    headers
}

/// The fields of the answer to a preflight request besides those of every answer.
fn preflight(cors: &Cors, request: &HeaderMap, mut headers: HeaderMap) -> HeaderMap {
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(Event::METHODS));
    match request.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        Some(asked) if cors.headers.is_empty() => {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
            headers.append(VARY, HeaderValue::from_static("access-control-request-headers"));
        }
        _ => insert_list(&mut headers, ACCESS_CONTROL_ALLOW_HEADERS, &cors.headers),
    }
    if let Some(age) = cors.max_age {
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(age.as_secs()));
    }
    headers
}

fn insert_list(headers: &mut HeaderMap, name: HeaderName, values: &[String]) {
    if let (false, Ok(list)) = (values.is_empty(), HeaderValue::from_str(&values.join(", "))) {
        headers.insert(name, list);
    }
}
