//! The routes of a whole server: the functions, the page that lists them, its health and its metrics.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{
    HeaderMap, Method, StatusCode, Uri,
    header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE},
};
use nebula_runtime::{Catalog, ErrorKind, FunctionInfo, InvokeError};
use tokio::time::timeout;

use crate::{Api, Routes, Shutdown, index, metrics, openapi, problem::Problem};

/// How long a look at what is published may take before it counts as out of reach.
const PATIENCE: Duration = Duration::from_secs(2);

/// Everything that a public server answers:
///
/// | route | answer |
/// |---|---|
/// | `ANY /api/{function}`, `ANY /api/{function}/{*input}` | the function's |
/// | `GET /` | the functions: HTML for a browser, JSON for other clients |
/// | `GET /healthz` | `ok` while the process lives |
/// | `GET /readyz` | `ok` while it takes requests, 503 while it drains or cannot reach what is published |
/// | `GET /metrics` | Prometheus' text format |
/// | `GET /openapi.json` | the functions, as OpenAPI 3.1 describes them |
/// | `GET /api/{function}` with `Accept: application/openapi+json` | the same of one function |
///
/// Whatever else is asked for is `application/problem+json`, as every failure is.
#[derive(Clone)]
pub struct Site {
    api: Api,
    catalog: Arc<dyn Catalog>,
    routes: Routes,
    shutdown: Shutdown,
}

impl Site {
    /// A site of the functions of `api`, which `catalog` lists. It is ready until `shutdown` asks to drain.
    pub fn new(api: Api, catalog: Arc<dyn Catalog>, shutdown: Shutdown) -> Self {
        let api = api.with_catalog(Arc::clone(&catalog));
        Self { api, catalog, routes: Routes::default(), shutdown }
    }

    /// Gives functions places of their own besides `/api/{function}`. They are served by an [`App`](crate::App) of the
    /// site: a router knows no hosts.
    #[must_use]
    pub fn with_routes(self, routes: Routes) -> Self {
        Self { routes, ..self }
    }

    /// The router.
    pub fn router(self) -> Router {
        Router::new()
            .route("/", get(list))
            .route("/openapi.json", get(describe))
            .route("/healthz", get(async || "ok"))
            .route("/readyz", get(ready))
            .route("/metrics", get(show_metrics))
            .with_state(Arc::new(self.clone()))
            .merge(self.api.router())
            .method_not_allowed_fallback(not_allowed)
            .fallback(not_found)
    }

    pub(crate) fn api(&self) -> &Api {
        &self.api
    }

    pub(crate) fn routes(&self) -> &Routes {
        &self.routes
    }

    async fn functions(&self) -> Result<Vec<FunctionInfo>, Problem> {
        let late = || Err(InvokeError::new(ErrorKind::Unavailable, "the store does not answer"));
        let functions = timeout(PATIENCE, self.catalog.functions()).await.unwrap_or_else(|_| late());
        functions.map_err(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "failed to list the functions");
            Problem::of_error(&error, None)
        })
    }
}

async fn list(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    match site.functions().await {
        Ok(functions) if index::prefers_html(headers.get_all(ACCEPT)) => index::html(&functions),
        Ok(functions) => index::json(&functions),
        Err(problem) => problem.into_response(),
    }
}

async fn describe(State(site): State<Arc<Site>>) -> Response {
    match site.functions().await {
        Ok(functions) => openapi::of_server(&functions),
        Err(problem) => problem.into_response(),
    }
}

async fn ready(State(site): State<Arc<Site>>) -> Result<&'static str, Problem> {
    if site.shutdown.is_draining() {
        return Err(Problem::of_status(StatusCode::SERVICE_UNAVAILABLE, "the server is shutting down"));
    }
    site.functions().await.map(|_| "ok")
}

async fn show_metrics(State(site): State<Arc<Site>>) -> Response {
    let headers = [(CONTENT_TYPE, metrics::MEDIA_TYPE), (CACHE_CONTROL, "no-store")];
    (headers, site.api.metrics().encode()).into_response()
}

async fn not_found(uri: Uri) -> Problem {
    let path = uri.path();
    let detail = "nothing is here: functions are at /api/{function}, and / lists them";
    tracing::debug!(path, "not found");
    Problem::of_status(StatusCode::NOT_FOUND, detail)
}

async fn not_allowed(method: Method) -> Problem {
    Problem::of_status(StatusCode::METHOD_NOT_ALLOWED, format!("{method} is not allowed here: use GET"))
}
