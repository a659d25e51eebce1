//! The routes around the functions.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::support::{api, text};
use async_trait::async_trait;
use axum::{Router, body::to_bytes};
use http::{Method, Request};
use nebula_http::{Metrics, Shutdown, Site};
use nebula_runtime::{Catalog, ErrorKind, FunctionInfo, InvokeError, Observed, invoker_fn};
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// One function, as long as the store answers.
#[derive(Default)]
struct OneFunction {
    away: AtomicBool,
}

/// What anybody may know of it.
fn treats() -> Value {
    json!({
        "name": "treats", "version": 3, "aliases": ["prod"], "size": 2_048, "kind": "core",
        "digest": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "exports": [{"name": "treats", "params": ["i32"], "results": ["i32"]}],
    })
}

#[async_trait]
impl Catalog for OneFunction {
    async fn functions(&self) -> Result<Vec<FunctionInfo>, InvokeError> {
        match self.away.load(Ordering::Relaxed) {
            false => {
                let mut function = treats();
                let config = json!({"limits": {}, "env": {"TOKEN": "secret"}});
                function.as_object_mut().unwrap().insert("config".to_owned(), config);
                Ok(vec![serde_json::from_value(function).unwrap()])
            }
            true => Err(InvokeError::new(ErrorKind::Unavailable, "the store does not answer")),
        }
    }
}

fn site(catalog: Arc<OneFunction>, shutdown: Shutdown) -> Router {
    Site::new(api(async |invocation| Ok(text(&invocation, "10"))), catalog, shutdown).router()
}

async fn send(app: &Router, method: Method, path: &str, accept: &str) -> (u16, String, String) {
    let request = Request::builder().method(method).uri(path).header("accept", accept);
    let response = app.clone().oneshot(request.body(axum::body::Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let header =
        |name: &str| parts.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    let body = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().into()).unwrap();
    (parts.status.as_u16(), header("content-type"), body)
}

async fn get(app: &Router, path: &str) -> (u16, String, String) {
    send(app, Method::GET, path, "*/*").await
}

fn problem(status: u16, title: &str, detail: &str) -> (u16, String, Value) {
    let body = json!({"type": "about:blank", "title": title, "status": status, "detail": detail});
    (status, "application/problem+json".to_owned(), body)
}

async fn get_problem(app: &Router, method: Method, path: &str) -> (u16, String, Value) {
    let (status, media_type, body) = send(app, method, path, "*/*").await;
    (status, media_type, serde_json::from_str(&body).unwrap())
}

#[tokio::test]
async fn the_functions_are_listed_for_programs_and_for_people() {
    let app = site(Arc::default(), Shutdown::new());
    let (status, media_type, body) = get(&app, "/").await;
    let listed: Value = serde_json::from_str(&body).unwrap();
    let expected = json!({"functions": [treats()]});
    assert_eq!((status, media_type.as_str(), listed), (200, "application/json", expected));

    let (status, media_type, body) = send(&app, Method::GET, "/", "text/html,*/*;q=0.8").await;
    assert_eq!((status, media_type.as_str()), (200, "text/html; charset=utf-8"));
    assert!(body.contains("<form data-function=\"api/treats\" aria-label=\"treats(i32) -&gt; i32\">"), "{body}");
}

#[tokio::test]
async fn functions_are_served_beside_the_rest() {
    let app = site(Arc::default(), Shutdown::new());
    assert_eq!(get(&app, "/api/treats/10").await, (200, "text/plain".to_owned(), "10".to_owned()));
}

#[tokio::test]
async fn health_is_told_whatever_else_happens_and_readiness_is_not() {
    let (catalog, shutdown) = (Arc::new(OneFunction::default()), Shutdown::new());
    let app = site(Arc::clone(&catalog), shutdown.clone());
    let ok = (200, "text/plain; charset=utf-8".to_owned(), "ok".to_owned());
    assert_eq!((get(&app, "/healthz").await, get(&app, "/readyz").await), (ok.clone(), ok.clone()));

    catalog.away.store(true, Ordering::Relaxed);
    let (status, _, body) = get_problem(&app, Method::GET, "/readyz").await;
    assert_eq!((status, &body["kind"]), (503, &json!("unavailable")));

    shutdown.drain();
    let draining = problem(503, "Service Unavailable", "the server is shutting down");
    assert_eq!(get_problem(&app, Method::GET, "/readyz").await, draining);
    assert_eq!(get(&app, "/healthz").await, ok);
}

#[tokio::test]
async fn elsewhere_and_otherwise_are_problems_too() {
    let app = site(Arc::default(), Shutdown::new());
    let nowhere = "nothing is here: functions are at /api/{function}, and / lists them";
    let expected = problem(404, "Not Found", nowhere);
    assert_eq!(get_problem(&app, Method::GET, "/elsewhere").await, expected);
    assert_eq!(get_problem(&app, Method::GET, "/api/").await, expected);
    let expected = problem(405, "Method Not Allowed", "POST is not allowed here: use GET");
    assert_eq!(get_problem(&app, Method::POST, "/healthz").await, expected);
}

#[tokio::test]
async fn what_was_invoked_is_in_the_metrics() {
    let metrics = Metrics::new();
    let inner = invoker_fn(async |invocation: nebula_runtime::Invocation| {
        invocation.report.update(|report| report.version = Some(3));
        Ok(text(&invocation, "10"))
    });
    let observed = Observed::new(Arc::new(inner), "http", metrics.sink());
    let api = nebula_http::Api::new(Arc::new(observed)).with_metrics(metrics);
    let app = Site::new(api, Arc::<OneFunction>::default(), Shutdown::new()).router();
    get(&app, "/api/treats/10").await;
    let (status, media_type, body) = get(&app, "/metrics").await;
    assert_eq!((status, media_type.as_str()), (200, "application/openmetrics-text; version=1.0.0; charset=utf-8"));
    let wanted = ["nebula_invocations_total{function=\"treats\",outcome=\"ok\"} 1", "nebula_in_flight 0"];
    assert_eq!(wanted.map(|line| body.lines().any(|shown| shown == line)), [true; 2], "{body}");
}
