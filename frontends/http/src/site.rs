//! The routes of a whole server: the functions, the page that lists them, its health and its metrics.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{
    HeaderMap, Method, StatusCode, Uri,
    header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, VARY},
};
use nebula_runtime::{Catalog, HeldBack, InvokeError, ListedFunction};

use crate::{
    api::Api,
    bounded_catalog::BoundedCatalog,
    index, metrics, openapi,
    paths::is_same,
    problem::Problem,
    routes::Routes,
    selection::{Names, Page, Selection},
    shutdown::Shutdown,
};

/// Everything that a public server answers:
///
/// | route | answer |
/// |---|---|
/// | `ANY /api/{function}`, `ANY /api/{function}/{*input}` | the function's |
/// | `GET /` | the list of functions, in pages: HTML for a browser, JSON for other clients |
/// | `GET /healthz` | `ok` while the process lives |
/// | `GET /readyz` | `ok` while the server takes requests, and a line for each alias whose new version cannot be served here; 503 and the reason while it drains or cannot reach the store |
/// | `GET /metrics` | Prometheus' text format; with `Accept: application/json`, the counts that the page at `/` draws |
/// | `GET /openapi.json` | a description of all functions, or of those of `?prefix=`, in OpenAPI 3.1 |
/// | `GET /api/{function}` with `Accept: application/openapi+json` | the description of one function |
///
/// The counts of `/metrics` as JSON are those of the functions of one page of `/`, for the same query.
///
/// A page of `/` has 100 functions, or as many as `?limit=` says, up to 1,000. The header `Link` with `rel="next"` (RFC
/// 8288) has the address of the next page. `&after=` is the name after which a page begins, and `&prefix=` selects the
/// names with this prefix. A function that cannot be read is listed with an `error`. `/openapi.json` leaves it out, and
/// names it in its description.
///
/// The answer to any other path is `application/problem+json`, like every failure.
#[derive(Clone)]
pub struct Site {
    api: Api,
    published: BoundedCatalog,
    routes: Routes,
    shutdown: Shutdown,
}

impl Site {
    /// A site for the functions of `api`, which `catalog` lists. It is ready until `shutdown` is draining.
    pub fn new(api: Api, catalog: Arc<dyn Catalog>, shutdown: Shutdown) -> Self {
        let api = api.with_catalog(Arc::clone(&catalog));
        Self { api, published: BoundedCatalog::new(catalog), routes: Routes::default(), shutdown }
    }

    /// Adds routes to functions besides `/api/{function}`. Only an [`App`](crate::App) of the site serves them, because
    /// a router does not match hosts.
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

    async fn page(&self, selection: &Selection) -> Result<Page, InvokeError> {
        let Names { names, total, next } = selection.page(self.published.names().await?);
        let named = names.len();
        let functions = self.published.list(names).await?;
        let called = functions.iter().flatten().filter_map(|info| {
            let calls = self.api.metrics().calls(&info.name);
            (!calls.is_empty()).then(|| (info.name.clone(), calls))
        });
        let calls = called.collect();
        // A function that was removed still has its name.
        let total = total - (named - functions.len()).min(total);
        Ok(Page { functions, calls, total, next })
    }

    async fn all(&self, selection: &Selection) -> Result<Vec<ListedFunction>, InvokeError> {
        self.published.list(selection.all(self.published.names().await?)).await
    }
}

/// The plain form of an encoded path to one of the pages, as the router expects it.
pub(crate) fn page_of(uri: &Uri) -> Option<Uri> {
    const PAGES: [&str; 4] = ["/openapi.json", "/healthz", "/readyz", "/metrics"];

    let path = uri.path();
    let page = PAGES.iter().find(|page| path.contains('%') && is_same(path, page))?;
    let target = uri.query().map_or_else(|| (*page).to_owned(), |query| format!("{page}?{query}"));
    target.parse().ok()
}

async fn list(State(site): State<Arc<Site>>, selection: Selection, headers: HeaderMap) -> Result<Response, Problem> {
    let page = site.page(&selection).await.map_err(failure)?;
    Ok(if index::prefers_html(headers.get_all(ACCEPT)) { index::html(&page) } else { index::json(&page) })
}

async fn describe(State(site): State<Arc<Site>>, selection: Selection) -> Result<Response, Problem> {
    Ok(openapi::of_server(&site.all(&selection).await.map_err(failure)?))
}

async fn ready(State(site): State<Arc<Site>>) -> Result<String, Problem> {
    if site.shutdown.is_draining() {
        return Err(Problem::of_status(StatusCode::SERVICE_UNAVAILABLE, "the server is shutting down"));
    }
    site.published.ready().await.map_err(failure)?;
    Ok(readiness(&site.published.held_back()))
}

/// What a server says that is ready. A function whose earlier version is served does not make the server unready: where
/// no server can serve the new version, none would be left.
fn readiness(held_back: &[HeldBack]) -> String {
    let line = |HeldBack { function, version, serves, .. }: &HeldBack| {
        format!("\n{function} stays on version {serves}: version {version} cannot be served here, as the log says")
    };
    std::iter::once("ok".to_owned()).chain(held_back.iter().map(line)).collect()
}

fn failure(error: InvokeError) -> Problem {
    tracing::warn!(error = &error as &dyn std::error::Error, "the published functions cannot be read");
    Problem::of_error(&error, None)
}

/// Only the page asks for a selection of functions. Whatever the query of another client says, it gets all metrics.
async fn show_metrics(
    State(site): State<Arc<Site>>,
    selection: Result<Selection, Problem>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if index::names_json(headers.get_all(ACCEPT)) {
        let selection = selection?;
        let live = site.api.metrics().live(|called| selection.page(called).names);
        return Ok(([(CACHE_CONTROL, "no-store"), (VARY, "accept")], Json(live)).into_response());
    }
    let headers = [(CONTENT_TYPE, metrics::MEDIA_TYPE), (CACHE_CONTROL, "no-store"), (VARY, "accept")];
    site.api.metrics().hold_back(&site.published.held_back());
    Ok((headers, site.api.metrics().encode()).into_response())
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
