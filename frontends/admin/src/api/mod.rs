//! The routes of the admin API.

mod aliases;
mod blobs;
mod change;
mod functions;
mod invocations;
mod list;
mod parameters;
mod publish;
mod releases;
mod service;
mod state;
mod values;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State as FromState},
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::{get, post, put},
};
use http::{Method, header::CONTENT_TYPE};
use nebula_http::ClientAddress;

pub(crate) use self::state::{State, read_tokens};
use crate::{
    caller::Caller,
    console, openapi,
    problem::{Kind, Problem},
};

/// The router.
pub(crate) fn router(state: State) -> Router {
    let state = Arc::new(state);
    let function = get(functions::show).put(publish::publish).delete(functions::remove);
    let version = get(functions::show_version).delete(functions::remove_version);
    let with_token = Router::new()
        .route("/functions", get(list::list))
        .route("/functions/{function}", function)
        .route("/functions/{function}/versions", get(releases::versions))
        .route("/functions/{function}/versions/{version}", version)
        .route("/functions/{function}/aliases", get(aliases::list))
        .route("/functions/{function}/aliases/{alias}", put(aliases::set).delete(aliases::remove))
        .route("/functions/{function}/rollback", post(aliases::roll_back))
        .route("/functions/{function}/history", get(releases::history))
        .route("/functions/{function}/diff", get(releases::diff))
        .route("/services/{service}/keyvalue", get(values::list))
        .route("/services/{service}/keyvalue/value", get(values::show).put(values::set).delete(values::remove))
        .route("/services/{service}/blobs", get(blobs::list))
        .route("/services/{service}/blobs/content", get(blobs::show).put(blobs::put).delete(blobs::remove))
        .route("/invocations", get(invocations::list))
        .method_not_allowed_fallback(not_allowed)
        .fallback(not_found)
        .layer(from_fn_with_state(Arc::clone(&state), authenticate));
    let without_token = Router::new()
        .route("/", get(console::page))
        .route("/healthz", get(async || "ok"))
        .route("/openapi.json", get(async || ([(CONTENT_TYPE, openapi::MEDIA_TYPE)], openapi::document().to_string())));
    with_token.merge(without_token).with_state(state)
}

/// Lets a request pass whose token is valid.
async fn authenticate(
    FromState(state): FromState<Arc<State>>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let peer = request.extensions().get::<ClientAddress>().map(|client| client.0);
    let caller = Caller::of(&state.tokens(), request.headers(), peer)?;
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

async fn not_found() -> Problem {
    Problem::new(Kind::NotFound, "nothing is here: /openapi.json describes what there is")
}

async fn not_allowed(method: Method) -> Problem {
    Problem::new(Kind::MethodNotAllowed, format!("{method} is not allowed here: /openapi.json describes what is"))
}
