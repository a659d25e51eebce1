//! Converts an event into the HTTP request that it describes.
//!
//! `lambda_http` can convert events too. But it keeps only one value of a repeated header, normalises paths, and panics
//! at an invalid host or invalid base64, so that a client could end the environment with a header. So the conversion is
//! made here.

use axum::extract::Request;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header::COOKIE};
use lambda_http::aws_lambda_events::{
    alb::AlbTargetGroupRequest,
    apigw::{ApiGatewayProxyRequest, ApiGatewayV2httpRequest, ApiGatewayWebsocketProxyRequest},
    query_map::QueryMap,
};
use lambda_runtime::Context;
use nebula_http::InvocationContext;
use nebula_runtime::{ErrorKind, InvokeError};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

/// The characters that have to be encoded in a path (RFC 3986, section 3.3). `%` is not one, as most sources leave
/// paths encoded.
const IN_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The characters that have to be encoded in the names and values of a query (RFC 3986, section 2.3).
const IN_QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The request in an event.
pub(crate) struct EventRequest {
    method: Method,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Option<String>,
    is_base64_encoded: bool,
}

impl EventRequest {
    /// The HTTP request, with the context of its invocation.
    pub(crate) fn request(self, context: &Context, invocation: InvocationContext) -> Result<Request, InvokeError> {
        const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");

        let uri = uri(&self.path, &self.query)?;
        let mut request = Request::new(match self.body {
            Some(body) if self.is_base64_encoded => decoded(&body)?.into(),
            body => body.unwrap_or_default().into(),
        });
        (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) = (self.method, uri, self.headers);
        if let Some(Ok(trace)) = context.xray_trace_id.as_deref().map(HeaderValue::try_from) {
            request.headers_mut().insert(TRACE_ID, trace);
        }
        request.extensions_mut().insert(invocation);
        Ok(request)
    }
}

impl From<ApiGatewayProxyRequest> for EventRequest {
    fn from(event: ApiGatewayProxyRequest) -> Self {
        Self {
            method: event.http_method,
            path: event.path.unwrap_or_default(),
            query: query(&event.multi_value_query_string_parameters, &event.query_string_parameters, &encoded),
            headers: merged(event.multi_value_headers, &event.headers),
            body: event.body,
            is_base64_encoded: event.is_base64_encoded,
        }
    }
}

impl From<ApiGatewayV2httpRequest> for EventRequest {
    fn from(event: ApiGatewayV2httpRequest) -> Self {
        let (path, context) = (event.raw_path.unwrap_or_default(), event.request_context);
        let mut headers = event.headers;
        // This event has its cookies outside of the headers.
        if let Some(Ok(cookies)) = event.cookies.map(|cookies| HeaderValue::try_from(cookies.join("; "))) {
            headers.insert(COOKIE, cookies);
        }
        Self {
            method: context.http.method,
            path: without_stage(&path, context.stage.as_deref()).to_owned(),
            query: event.raw_query_string.unwrap_or_default(),
            headers,
            body: event.body,
            is_base64_encoded: event.is_base64_encoded,
        }
    }
}

impl From<AlbTargetGroupRequest> for EventRequest {
    fn from(event: AlbTargetGroupRequest) -> Self {
        // A load balancer leaves queries encoded.
        let as_it_is = &str::to_owned;
        Self {
            method: event.http_method,
            path: event.path.unwrap_or_default(),
            query: query(&event.multi_value_query_string_parameters, &event.query_string_parameters, as_it_is),
            headers: merged(event.multi_value_headers, &event.headers),
            body: event.body,
            is_base64_encoded: event.is_base64_encoded,
        }
    }
}

impl From<ApiGatewayWebsocketProxyRequest> for EventRequest {
    /// The event of a message has no method: a message becomes a POST. Connecting and disconnecting become a GET.
    fn from(event: ApiGatewayWebsocketProxyRequest) -> Self {
        let implied = if event.body.is_some() { Method::POST } else { Method::GET };
        Self {
            method: event.http_method.unwrap_or(implied),
            path: event.path.unwrap_or_default(),
            query: query(&event.multi_value_query_string_parameters, &event.query_string_parameters, &encoded),
            headers: merged(event.multi_value_headers, &event.headers),
            body: event.body,
            is_base64_encoded: event.is_base64_encoded,
        }
    }
}

fn decoded(body: &str) -> Result<Vec<u8>, InvokeError> {
    STANDARD.decode(body).map_err(|error| {
        InvokeError::new(ErrorKind::InvalidInput, "the request's body should be base64 and is not").with_source(error)
    })
}

/// All headers. Of a repeated header, `single` has only the last value.
fn merged(mut several: HeaderMap, single: &HeaderMap) -> HeaderMap {
    for (name, value) in single {
        several.entry(name).or_insert_with(|| value.clone());
    }
    several
}

/// Joins a query that was split into names and values. It is sorted by names, as the event has no order of its own.
/// `part` encodes a name or a value.
fn query(several: &QueryMap, single: &QueryMap, part: &dyn Fn(&str) -> String) -> String {
    let map = if several.is_empty() { single } else { several };
    let mut pairs: Vec<_> = map.iter().collect();
    // The sort keeps the order of the values of one name.
    pairs.sort_by_key(|(name, _)| *name);
    let pairs: Vec<_> = pairs.into_iter().map(|(name, value)| part(name) + "=" + &part(value)).collect();
    pairs.join("&")
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, IN_QUERY).to_string()
}

/// The path of an HTTP API without the stage, with which it begins unless that is the default stage.
fn without_stage<'a>(path: &'a str, stage: Option<&str>) -> &'a str {
    let stage = stage.filter(|stage| *stage != "$default");
    let own = stage.and_then(|stage| path.strip_prefix('/')?.strip_prefix(stage));
    own.filter(|own| own.is_empty() || own.starts_with('/')).unwrap_or(path)
}

fn uri(path: &str, query: &str) -> Result<Uri, InvokeError> {
    let (path, slash) = (utf8_percent_encode(path, IN_PATH), if path.starts_with('/') { "" } else { "/" });
    let text = if query.is_empty() { format!("{slash}{path}") } else { format!("{slash}{path}?{query}") };
    text.parse().map_err(|error| {
        InvokeError::new(ErrorKind::InvalidInput, "the request's path is not valid").with_source(error)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::event::Gateway;

    fn request(gateway: Gateway, event: &Value) -> Result<Request, InvokeError> {
        let request = gateway.read(&serde_json::value::to_raw_value(event).unwrap()).unwrap();
        request.request(&Context::default(), InvocationContext::default())
    }

    /// The URI and the headers of the request in an event.
    fn head(gateway: Gateway, event: &Value) -> (String, Vec<(String, String)>) {
        let (parts, _) = request(gateway, event).unwrap().into_parts();
        let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
        let headers = parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        (parts.uri.to_string(), headers)
    }

    fn http_api(stage: &str, path: &str, query: &str) -> String {
        let context = json!({ "stage": stage, "http": { "method": "GET" } });
        head(Gateway::Http, &json!({ "rawPath": path, "rawQueryString": query, "requestContext": context })).0
    }

    #[test]
    fn a_path_loses_its_stage_and_is_encoded_again() {
        let cases = [
            (("$default", "/api/treats/10", ""), "/api/treats/10"),
            (("$default", "", ""), "/"),
            (("prod", "/prod", "x=1"), "/?x=1"),
            (("prod", "/prod/api/treats", ""), "/api/treats"),
            (("prod", "/product/1", ""), "/product/1"),
            (("$default", "/a b/ü?#", "q=%20&q=+&a"), "/a%20b/%C3%BC%3F%23?q=%20&q=+&a"),
            (("$default", "/a%2Fb", ""), "/a%2Fb"),
        ];
        for ((stage, path, query), expected) in cases {
            assert_eq!(http_api(stage, path, query), expected);
        }
    }

    #[test]
    fn a_decoded_query_is_encoded_again_and_sorted_by_names() {
        let context = json!({ "stage": "prod", "httpMethod": "GET", "requestTimeEpoch": 0 });
        let event = json!({
            "httpMethod": "GET", "path": "/", "requestContext": context,
            "queryStringParameters": { "b": "3", "a": "& =" },
            "multiValueQueryStringParameters": { "b": ["2", "3"], "a": ["& ="] },
        });
        assert_eq!(head(Gateway::Rest, &event).0, "/?a=%26%20%3D&b=2&b=3");
    }

    #[test]
    fn the_query_of_a_load_balancer_is_unchanged() {
        let event = json!({
            "httpMethod": "GET", "path": "/a%20b", "requestContext": { "elb": {} },
            "queryStringParameters": { "q": "a%20b", "e": "" },
        });
        assert_eq!(head(Gateway::LoadBalancer, &event).0, "/a%20b?e=&q=a%20b");
    }

    #[test]
    fn a_repeated_header_keeps_all_its_values() {
        let context = json!({ "stage": "prod", "httpMethod": "GET", "requestTimeEpoch": 0 });
        let event = json!({
            "httpMethod": "GET", "path": "/", "requestContext": context,
            "headers": { "X-Tag": "2", "X-Lone": "l" },
            "multiValueHeaders": { "X-Tag": ["1", "2"] },
        });
        let expected = [("x-tag", "1"), ("x-tag", "2"), ("x-lone", "l")];
        assert_eq!(head(Gateway::Rest, &event).1, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn an_invalid_request_is_refused_without_a_panic() {
        let context = json!({ "http": { "method": "GET" } });
        let event = json!({ "requestContext": context, "isBase64Encoded": true, "body": "?" });
        let error = request(Gateway::Http, &event).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let event = json!({ "requestContext": context, "headers": { "host": "[" }, "rawPath": "//a/../b" });
        assert_eq!(head(Gateway::Http, &event).0, "//a/../b");
    }
}
