//! The page for operators. It holds no data: its script asks the API, with the token that the operator gives.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use nebula_http::Document;

/// The page.
pub(crate) async fn page() -> Response {
    ([(CACHE_CONTROL, "no-cache")], DOCUMENT.response("Nebula: console", include_str!("page.html"))).into_response()
}

static DOCUMENT: LazyLock<Document> = LazyLock::new(|| {
    let scripts = [
        include_str!("session.js"),
        include_str!("functions.js"),
        include_str!("report.js"),
        include_str!("invocations.js"),
        include_str!("start.js"),
    ];
    Document::new(&[include_str!("page.css")], &scripts)
});
