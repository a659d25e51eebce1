//! A request as its event carries it, made whole again.
//!
//! `lambda_http` knows the events, and converts them too. But where an event has its headers twice it keeps one value of
//! each, it normalises paths, and it panics over hosts and base64 that are none: what a client could write into a header
//! would end the environment. So the conversion is made here.

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

/// What a path cannot hold as it is (RFC 3986, section 3.3). A `%` can: most sources leave paths encoded.
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

/// What a query's names and values need not escape (RFC 3986, section 2.3).
const IN_QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A request, as far as its event says it.
pub(crate) struct EventRequest {
    method: Method,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Option<String>,
    is_base64_encoded: bool,
}

impl EventRequest {
    /// The request, with what Lambda says of its invocation.
    pub(crate) fn request(self, context: &Context, given: InvocationContext) -> Result<Request, InvokeError> {
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
        request.extensions_mut().insert(given);
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
        // They are in no header.
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
        // A load balancer leaves a query encoded.
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
    /// A message is no request. What it carries is posted; to connect and to leave has no body.
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
        InvokeError::new(ErrorKind::InvalidInput, "the request's body is not the base64 that it is said to be")
            .with_source(error)
    })
}

/// All header fields: where a name has several values, `single` has only the last.
fn merged(mut several: HeaderMap, single: &HeaderMap) -> HeaderMap {
    for (name, value) in single {
        several.entry(name).or_insert_with(|| value.clone());
    }
    several
}

/// The query that was taken apart, by its names: which came first is not told. `part` writes a name or a value.
fn query(several: &QueryMap, single: &QueryMap, part: &dyn Fn(&str) -> String) -> String {
    let map = if several.is_empty() { single } else { several };
    let mut pairs: Vec<_> = map.iter().collect();
    // Values of one name are in their order, and stay so.
    pairs.sort_by_key(|(name, _)| *name);
    let pairs: Vec<_> = pairs.into_iter().map(|(name, value)| part(name) + "=" + &part(value)).collect();
    pairs.join("&")
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, IN_QUERY).to_string()
}

/// An HTTP API's path without its stage, which it begins with unless that is the default one.
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
        let carried = gateway.read(&serde_json::value::to_raw_value(event).unwrap()).unwrap();
        carried.request(&Context::default(), InvocationContext::default())
    }

    /// The URI and the headers of an event.
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
    fn a_path_is_taken_without_its_stage_and_encoded_where_it_was_decoded() {
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
    fn a_query_that_was_decoded_is_encoded_again_in_the_order_of_its_names() {
        let context = json!({ "stage": "prod", "httpMethod": "GET", "requestTimeEpoch": 0 });
        let event = json!({
            "httpMethod": "GET", "path": "/", "requestContext": context,
            "queryStringParameters": { "b": "3", "a": "& =" },
            "multiValueQueryStringParameters": { "b": ["2", "3"], "a": ["& ="] },
        });
        assert_eq!(head(Gateway::Rest, &event).0, "/?a=%26%20%3D&b=2&b=3");
    }

    #[test]
    fn a_load_balancer_s_query_stays_as_it_came() {
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
    fn what_no_client_should_write_is_refused_and_no_more() {
        let context = json!({ "http": { "method": "GET" } });
        let event = json!({ "requestContext": context, "isBase64Encoded": true, "body": "?" });
        let error = request(Gateway::Http, &event).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let event = json!({ "requestContext": context, "headers": { "host": "[" }, "rawPath": "//a/../b" });
        assert_eq!(head(Gateway::Http, &event).0, "//a/../b");
    }
}
