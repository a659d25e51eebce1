//! The routes of a site besides the functions.

use std::sync::{Arc, Mutex};

use crate::support::{api, text};
use async_trait::async_trait;
use axum::{Router, body::to_bytes};
use http::{HeaderMap, Method, Request};
use nebula_http::{Metrics, Shutdown, Site};
use nebula_runtime::{
    Catalog, FunctionInfo, FunctionName, FunctionRef, Observed, RegistryError, RegistryErrorKind, invoker_fn,
};
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// A catalog of functions with these names, which are all alike. One may be damaged.
struct Functions {
    names: Vec<FunctionName>,
    damaged: Option<FunctionName>,
    store: Mutex<Store>,
    /// The names of the functions that were read.
    read: Mutex<Vec<String>>,
}

/// The state of their store.
#[derive(Clone, Copy, Default)]
enum Store {
    #[default]
    Well,
    Away,
}

impl Functions {
    fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut names: Vec<FunctionName> = names.into_iter().map(|name| name.parse().unwrap()).collect();
        names.sort_unstable();
        Self { names, damaged: None, store: Mutex::default(), read: Mutex::default() }
    }

    fn answer(&self) -> Result<(), RegistryError> {
        let store = *self.store.lock().unwrap();
        match store {
            Store::Well => Ok(()),
            Store::Away => Err(RegistryError::new(RegistryErrorKind::Unavailable, "the store is out of reach")),
        }
    }

    fn set(&self, store: Store) {
        *self.store.lock().unwrap() = store;
    }
}

impl Default for Functions {
    fn default() -> Self {
        Self::named(["treats"])
    }
}

/// The public facts about one of the functions.
fn shown(name: &str) -> Value {
    json!({
        "name": name, "version": 3, "aliases": ["prod"], "size": 2_048, "kind": "core",
        "digest": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "exports": [{"name": name, "params": ["i32"], "results": ["i32"]}],
        "grants": {"env": ["TOKEN"]},
    })
}

#[async_trait]
impl Catalog for Functions {
    async fn ready(&self) -> Result<(), RegistryError> {
        self.answer()
    }

    async fn names(&self) -> Result<Vec<FunctionName>, RegistryError> {
        self.answer()?;
        Ok(self.names.clone())
    }

    async fn function(&self, reference: &FunctionRef) -> Result<FunctionInfo, RegistryError> {
        let name = reference.name();
        self.read.lock().unwrap().push(name.to_string());
        self.answer()?;
        if self.damaged.as_ref() == Some(name) {
            return Err(RegistryError::new(RegistryErrorKind::Internal, "it is damaged")
                .with_source("a secret of the operator's"));
        }
        let mut function = shown(name.as_str());
        let config = json!({"limits": {}, "env": {"TOKEN": "secret"}});
        function.as_object_mut().unwrap().insert("config".to_owned(), config);
        Ok(serde_json::from_value(function).unwrap())
    }
}

fn site(catalog: Arc<Functions>, shutdown: Shutdown) -> Router {
    Site::new(api(async |invocation| Ok(text(&invocation, "10"))), catalog, shutdown).router()
}

async fn ask(app: &Router, method: Method, path: &str, accept: &str) -> (u16, HeaderMap, String) {
    let request = Request::builder().method(method).uri(path).header("accept", accept);
    let response = app.clone().oneshot(request.body(axum::body::Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().into()).unwrap();
    (parts.status.as_u16(), parts.headers, body)
}

fn header(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

async fn send(app: &Router, method: Method, path: &str, accept: &str) -> (u16, String, String) {
    let (status, headers, body) = ask(app, method, path, accept).await;
    (status, header(&headers, "content-type"), body)
}

/// The names of a page of functions, and its link to the next.
async fn page(app: &Router, path: &str) -> (Vec<String>, String) {
    let (status, headers, body) = ask(app, Method::GET, path, "*/*").await;
    assert_eq!(status, 200, "{body}");
    let listed: Value = serde_json::from_str(&body).unwrap();
    let names = listed
        .pointer("/functions")
        .unwrap()
        .as_array()
        .unwrap()
        .iter()
        .map(|function| function.get("name").unwrap().as_str().unwrap());
    (names.map(str::to_owned).collect(), header(&headers, "link"))
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
    let expected = json!({"functions": [shown("treats")]});
    assert_eq!((status, media_type.as_str(), listed), (200, "application/json", expected));

    let (status, media_type, body) = send(&app, Method::GET, "/", "text/html,*/*;q=0.8").await;
    assert_eq!((status, media_type.as_str()), (200, "text/html; charset=utf-8"));
    assert!(body.contains("<form data-function=\"api/treats\" aria-label=\"treats(i32) -&gt; i32\">"), "{body}");
}

#[tokio::test]
async fn functions_are_listed_in_pages_and_only_those_that_are_shown_are_read() {
    let names: Vec<String> = (100..350).map(|number| format!("f{number}")).collect();
    let catalog = Arc::new(Functions::named(names.iter().map(String::as_str)));
    let app = site(Arc::clone(&catalog), Shutdown::new());
    let pages = [
        ("/", &names[..100], "<?after=f199>; rel=\"next\""),
        ("/?after=f199", &names[100..200], "<?after=f299>; rel=\"next\""),
        ("/?after=f299", &names[200..], ""),
        ("/?limit=2&after=f101", &names[2..4], "<?after=f103&limit=2>; rel=\"next\""),
        ("/?prefix=f33&limit=9", &names[230..239], "<?after=f338&limit=9&prefix=f33>; rel=\"next\""),
        ("/?prefix=f33&limit=9&after=f338", &names[239..240], ""),
        ("/?limit=1000", &names[..], ""),
        ("/?prefix=g", &[], ""),
    ];
    for (path, expected, link) in pages {
        catalog.read.lock().unwrap().clear();
        assert_eq!(page(&app, path).await, (expected.to_vec(), link.to_owned()), "{path}");
        assert_eq!(*catalog.read.lock().unwrap(), expected, "{path}");
    }
    let (_, headers, html) = ask(&app, Method::GET, "/?limit=2", "text/html").await;
    assert_eq!(header(&headers, "link"), "<?after=f101&limit=2>; rel=\"next\"");
    assert!(html.contains("<a rel=\"next\" href=\"?after=f101&amp;limit=2\">"), "{html}");
}

#[tokio::test]
async fn the_error_for_a_wrong_selection_names_the_parameter() {
    let app = site(Arc::default(), Shutdown::new());
    let name = "expected 1 to 63 of a-z, 0-9 and -, starting with a letter";
    let limit = "limit: expected a number from 1 to 1000, got";
    let cases = [
        ("/?limit=0", format!("{limit} \"0\"")),
        ("/?limit=1001", format!("{limit} \"1001\"")),
        ("/?limit=-1", format!("{limit} \"-1\"")),
        ("/?limit=", format!("{limit} \"\"")),
        ("/?after=Treats", format!("after: invalid function name \"Treats\": {name}")),
        ("/openapi.json?limit=many", format!("{limit} \"many\"")),
        ("/?limit=1&limit=2", "Failed to deserialize query string: duplicate field `limit`".to_owned()),
    ];
    for (path, detail) in cases {
        assert_eq!(get_problem(&app, Method::GET, path).await, problem(400, "Bad Request", &detail), "{path}");
    }
}

#[tokio::test]
async fn a_function_that_cannot_be_read_is_listed_with_the_reason_beside_the_others() {
    let damaged = Some("bad".parse().unwrap());
    let app = site(Arc::new(Functions { damaged, ..Functions::named(["bad", "treats"]) }), Shutdown::new());
    let (status, _, body) = get(&app, "/").await;
    let bad = json!({"name": "bad", "error": {"kind": "internal", "detail": "it is damaged"}});
    let expected = json!({"functions": [bad, shown("treats")]});
    assert_eq!((status, serde_json::from_str::<Value>(&body).unwrap()), (200, expected));

    let (status, _, html) = send(&app, Method::GET, "/", "text/html").await;
    let wanted = ["<article id=\"bad\">", "It cannot be read: it is damaged.", "<article id=\"treats\">"];
    assert_eq!((status, wanted.map(|shown| html.contains(shown)), html.contains("secret")), (200, [true; 3], false));

    let (status, _, body) = get(&app, "/openapi.json").await;
    let described: Value = serde_json::from_str(&body).unwrap();
    let paths: Vec<_> = described["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!((status, paths), (200, vec!["/api/treats", "/api/treats/{arg0}"]));
    assert_eq!(described["info"]["description"], "Functions that cannot be read are left out: bad.");
}

#[tokio::test]
async fn openapi_describes_all_functions_or_those_with_a_prefix() {
    let names: Vec<String> = (100..350).map(|number| format!("f{number}")).collect();
    let catalog = Arc::new(Functions::named(names.iter().map(String::as_str)));
    let app = site(Arc::clone(&catalog), Shutdown::new());
    for (path, expected) in [("/openapi.json", &names[..]), ("/openapi.json?prefix=f34", &names[240..])] {
        catalog.read.lock().unwrap().clear();
        let (_, _, body) = get(&app, path).await;
        let described: Value = serde_json::from_str(&body).unwrap();
        let tags: Vec<_> =
            described["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
        assert_eq!(tags, expected, "{path}");
        assert_eq!(*catalog.read.lock().unwrap(), expected, "{path}");
    }
}

#[tokio::test]
async fn a_site_serves_the_functions_too() {
    let app = site(Arc::default(), Shutdown::new());
    assert_eq!(get(&app, "/api/treats/10").await, (200, "text/plain".to_owned(), "10".to_owned()));
}

#[tokio::test]
async fn a_server_that_is_not_ready_is_still_healthy() {
    let (catalog, shutdown) = (Arc::new(Functions::default()), Shutdown::new());
    let app = site(Arc::clone(&catalog), shutdown.clone());
    let ok = (200, "text/plain; charset=utf-8".to_owned(), "ok".to_owned());
    assert_eq!((get(&app, "/healthz").await, get(&app, "/readyz").await), (ok.clone(), ok.clone()));

    catalog.set(Store::Away);
    let (status, _, body) = get_problem(&app, Method::GET, "/readyz").await;
    assert_eq!((status, &body["detail"]), (503, &json!("the store is out of reach")));

    shutdown.drain();
    let draining = problem(503, "Service Unavailable", "the server is shutting down");
    assert_eq!(get_problem(&app, Method::GET, "/readyz").await, draining);
    assert_eq!(get(&app, "/healthz").await, ok);
}

#[tokio::test]
async fn readiness_reads_no_function() {
    let catalog = Arc::new(Functions::default());
    assert_eq!(get(&site(Arc::clone(&catalog), Shutdown::new()), "/readyz").await.0, 200);
    assert_eq!(*catalog.read.lock().unwrap(), [""; 0]);
}

#[tokio::test]
async fn other_paths_and_methods_are_problems() {
    let app = site(Arc::default(), Shutdown::new());
    let nowhere = "nothing is here: functions are at /api/{function}, and / lists them";
    let expected = problem(404, "Not Found", nowhere);
    assert_eq!(get_problem(&app, Method::GET, "/elsewhere").await, expected);
    assert_eq!(get_problem(&app, Method::GET, "/api/").await, expected);
    let expected = problem(405, "Method Not Allowed", "POST is not allowed here: use GET");
    assert_eq!(get_problem(&app, Method::POST, "/healthz").await, expected);
}

#[tokio::test]
async fn the_metrics_count_invocations() {
    let metrics = Metrics::new();
    let inner = invoker_fn(async |invocation: nebula_runtime::Invocation| {
        invocation.report.update(|report| report.version = Some(3));
        Ok(text(&invocation, "10"))
    });
    let observed = Observed::new(Arc::new(inner), Arc::new(metrics.clone()));
    let api = nebula_http::Api::new(Arc::new(observed)).with_metrics(metrics);
    let app = Site::new(api, Arc::<Functions>::default(), Shutdown::new()).router();
    get(&app, "/api/treats/10").await;
    let (status, media_type, body) = get(&app, "/metrics").await;
    assert_eq!((status, media_type.as_str()), (200, "application/openmetrics-text; version=1.0.0; charset=utf-8"));
    let invocations = "nebula_invocations_total{function=\"treats\",version=\"3\",outcome=\"ok\",start=\"cold\"} 1";
    let wanted = [invocations, "nebula_in_flight 0"];
    assert_eq!(wanted.map(|line| body.lines().any(|shown| shown == line)), [true; 2], "{body}");
}
