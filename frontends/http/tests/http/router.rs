//! The router: the request that a function gets, and the answer that a client gets.

use std::sync::Arc;

use crate::support::{NEVER, app, text};
use axum::{Router, body::to_bytes};
use http::{HeaderName, HeaderValue, Request};
use nebula_http::{InvocationContext, refusal};
use nebula_runtime::{
    Body, Digest, ErrorKind, Input, Invocation, InvocationId, InvokeError, Overload, Start, TraceContext,
    test_kit::Failing,
};
use serde_json::{Value, json};
use tokio::time::Instant;
use tower::ServiceExt as _;

const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");

/// The status, the sorted headers and the body of an answer. `ID` stands for the id of the invocation, which is random.
async fn answer(app: Router, request: Request<&'static str>) -> (u16, Vec<String>, String) {
    let (parts, body) = app.oneshot(request.map(axum::body::Body::from)).await.unwrap().into_parts();
    let id = parts.headers.get("nebula-invocation-id").map(|id| id.to_str().unwrap().to_owned());
    let masked = |text: &str| id.as_ref().map_or(text.to_owned(), |id| text.replace(id, "ID"));
    let mut headers: Vec<_> =
        parts.headers.iter().map(|(name, value)| masked(&format!("{name}: {}", value.to_str().unwrap()))).collect();
    headers.sort();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    (parts.status.as_u16(), headers, masked(std::str::from_utf8(&body).unwrap()))
}

fn get(path: &str) -> Request<&'static str> {
    Request::get(path).body("").unwrap()
}

/// The whole invocation, as JSON.
async fn told(invocation: Invocation) -> Value {
    let header = |value: Option<&HeaderValue>| value.map(|value| value.to_str().unwrap().to_owned());
    let trace = [header(invocation.trace.parent()), header(invocation.trace.state())];
    let (function, id) = (invocation.function.to_string(), invocation.id.to_string());
    let mount = invocation.event.mount().to_owned();
    let (input, arguments) = invocation.event.into_parts();
    let Input::Http(request) = input else { panic!("an HTTP event") };
    let (method, uri) = (request.method().to_string(), request.uri().to_string());
    let headers: Vec<_> =
        request.headers().iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap())).collect();
    let headers = json!(headers);
    let body = request.into_body().collect(100).await.unwrap();
    json!({
        "function": function, "id_length": id.len(), "arguments": arguments, "method": method, "uri": uri, "mount": mount,
        "headers": headers, "body": std::str::from_utf8(&body).unwrap(), "trace": trace,
    })
}

fn telling() -> Router {
    app(async |invocation: Invocation| {
        let report = invocation.report.clone();
        let told = told(invocation).await.to_string();
        Ok(nebula_runtime::Response::new(HeaderValue::from_static("application/json"), told, report))
    })
}

#[tokio::test]
async fn a_function_gets_the_whole_request() {
    let request = Request::put("/api/calc:add@prod/1/a%2Fb?x=1&y")
        .header("x-own", "1")
        .header("traceparent", "00-1-2-01")
        .header("tracestate", "vendor=1")
        .body("the body")
        .unwrap();
    let (_, _, body) = answer(telling(), request).await;
    let expected = json!({
        "function": "calc:add@prod", "id_length": 32, "arguments": ["1", "a/b"], "method": "PUT",
        "uri": "/api/calc:add@prod/1/a%2Fb?x=1&y", "mount": "/api/calc:add@prod", "body": "the body", "trace": ["00-1-2-01", "vendor=1"],
        "headers": [["x-own", "1"], ["traceparent", "00-1-2-01"], ["tracestate", "vendor=1"]],
    });
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), expected);
}

#[tokio::test]
async fn a_platform_decides_the_id_the_deadline_and_the_trace_of_a_request_without_one() {
    let deadline = Instant::now() + NEVER;
    let trace = TraceContext::new(HeaderValue::from_static("00-9-9-01"), None);
    let given =
        InvocationContext { id: InvocationId::given("id-1"), deadline: Some(deadline), frontend: "lambda", trace };
    let app = app(async |invocation: Invocation| {
        let parent = invocation.trace.parent().map(|parent| parent.to_str().unwrap().to_owned());
        let told = format!("{} {:?} {parent:?}", invocation.id, invocation.deadline);
        Ok(text(&invocation, told))
    });
    for (own, expected) in [(None, "00-9-9-01"), (Some("00-1-2-01"), "00-1-2-01")] {
        let mut request = Request::get("/api/treats").extension(given.clone()).body("").unwrap();
        request.headers_mut().extend(own.map(|own| (TRACE_PARENT, HeaderValue::from_static(own))));
        let (_, headers, body) = answer(app.clone(), request).await;
        assert!(headers.contains(&"nebula-invocation-id: ID".to_owned()), "{headers:?}");
        assert_eq!(body, format!("ID {:?} {:?}", Some(deadline), Some(expected)));
    }
}

#[tokio::test]
async fn a_failure_outside_of_the_router_has_the_same_form() {
    let error = InvokeError::new(ErrorKind::Timeout, "it took too long");
    let (parts, body) = refusal(&error, &InvocationId::given("id-1")).into_parts();
    let problem: Value = serde_json::from_slice(&to_bytes(body, usize::MAX).await.unwrap()).unwrap();
    assert_eq!((parts.status.as_u16(), &problem["invocation_id"]), (504, &json!("id-1")));
    assert_eq!(parts.headers["nebula-invocation-id"], "id-1");
}

#[tokio::test]
async fn functions_can_be_nested_below_another_path() {
    let nested = Router::new().nest("/functions", telling());
    let (status, _, body) = answer(nested, get("/functions/api/treats/10")).await;
    let told: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &told["function"], &told["arguments"]), (200, &json!("treats"), &json!(["10"])));
}

#[tokio::test]
async fn an_answer_has_the_digest_of_its_function_and_the_times() {
    let app = app(async |invocation: Invocation| {
        invocation.report.update(|report| {
            report.digest = Some(Digest::of(b""));
            report.start = Start::Warm;
            report.running = std::time::Duration::from_micros(1_500);
        });
        Ok(text(&invocation, "10"))
    });
    let headers = [
        "content-length: 2",
        "content-type: text/plain",
        "nebula-digest: sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "nebula-invocation-id: ID",
        "server-timing: start;desc=warm, queued;dur=0, load;dur=0, init;dur=0, run;dur=1.500",
    ]
    .map(str::to_owned);
    assert_eq!(answer(app.clone(), get("/api/treats/10")).await, (200, headers.to_vec(), "10".to_owned()));

    let head = Request::head("/api/treats/10").body("").unwrap();
    assert_eq!(answer(app, head).await, (200, headers.to_vec(), String::new()));
}

#[tokio::test]
async fn a_failure_is_a_problem_with_the_invocations_id() {
    let app = app(async |_| {
        let after = std::time::Duration::from_secs(3);
        Err(InvokeError::overloaded(Overload::Server, after, "the server is at its limit"))
    });
    let (status, headers, body) = answer(app, get("/api/treats/10")).await;
    let expected_headers = [
        "content-length: 189",
        "content-type: application/problem+json",
        "nebula-invocation-id: ID",
        "retry-after: 3",
        "server-timing: start;desc=cold, queued;dur=0, load;dur=0, init;dur=0, run;dur=0",
    ];
    let expected_body = json!({
        "type": "urn:nebula:error:overloaded", "title": "The server is busy", "status": 503, "kind": "overloaded",
        "detail": "the server is at its limit", "invocation_id": "ID",
    });
    assert_eq!((status, headers), (503, expected_headers.map(str::to_owned).to_vec()));
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), expected_body);
}

#[tokio::test]
async fn a_path_that_cannot_name_a_function_invokes_nothing() {
    let app = app(async |_| panic!("nothing should be invoked"));
    let cases = [("/api/Treats", 404, "not_found"), ("/api/treats/%FF", 400, "invalid_input")];
    for (path, status, kind) in cases {
        let (sent, _, body) = answer(app.clone(), get(path)).await;
        let problem: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((sent, &problem["kind"], &problem["invocation_id"]), (status, &json!(kind), &json!("ID")), "{path}");
    }
}

#[tokio::test]
async fn the_status_and_the_headers_of_a_function_are_kept() {
    let app = app(async |invocation: Invocation| {
        let mut response = text(&invocation, Body::empty());
        response.status = http::StatusCode::SEE_OTHER;
        let set = [("location", "/elsewhere"), ("server-timing", "db;dur=1"), ("transfer-encoding", "chunked")];
        for (name, value) in set {
            response.headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        Ok(response)
    });
    let headers = [
        "content-length: 0",
        "content-type: text/plain",
        "location: /elsewhere",
        "nebula-invocation-id: ID",
        "server-timing: db;dur=1",
        "server-timing: start;desc=cold, queued;dur=0, load;dur=0, init;dur=0, run;dur=0",
    ]
    .map(str::to_owned);
    assert_eq!(answer(app, get("/api/treats")).await, (303, headers.to_vec(), String::new()));
}

#[tokio::test]
async fn any_invoker_can_be_served() {
    let failing = Failing::always(ErrorKind::Internal, "secret");
    let (status, _, body) = answer(nebula_http::router(Arc::new(failing)), get("/api/treats")).await;
    assert_eq!((status, body.contains("secret")), (500, false));
}
