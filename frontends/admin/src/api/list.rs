//! Lists the functions, in pages.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State as FromState,
    response::{IntoResponse as _, Response},
};
use futures_util::StreamExt as _;
use http::{HeaderValue, header::LINK};
use nebula_runtime::{Catalog as _, FunctionInfo, FunctionName, ListedFunction, UnreadableFunction};
use serde::{Deserialize, Serialize};

use super::{parameters::Asked, state::State};
use crate::{
    caller::Caller,
    problem::{Kind, Problem},
};

/// How many functions a page has by default.
const LIMIT: usize = 100;

/// How many functions a page has at most.
const MAX_LIMIT: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    after: Option<FunctionName>,
    limit: Option<usize>,
}

#[derive(Serialize)]
struct Page<'a> {
    functions: Vec<Element<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'a FunctionName>,
}

/// A function, or why it cannot be read.
#[derive(Serialize)]
#[serde(untagged)]
enum Element<'a> {
    Function(&'a FunctionInfo),
    Unreadable(&'a UnreadableFunction),
}

pub(super) async fn list(
    FromState(state): FromState<Arc<State>>,
    Extension(caller): Extension<Caller>,
    Asked(Options { after, limit }): Asked<Options>,
) -> Result<Response, Problem> {
    caller.may_read(None)?;
    let shown = limit.unwrap_or(LIMIT);
    if !(1..=MAX_LIMIT).contains(&shown) {
        return Err(Problem::new(Kind::Malformed, format!("limit: expected a number from 1 to {MAX_LIMIT}")));
    }
    let mut names = state.runtime.names().await?;
    names.retain(|name| after.as_ref().is_none_or(|after| name > after) && caller.sees(name));
    let more = names.len() > shown;
    names.truncate(shown);
    let next = names.last().cloned().filter(|_| more);
    let functions: Vec<ListedFunction> = state.runtime.list(names).collect().await;
    let functions = functions.iter().map(|listed| listed.as_ref().map_or_else(Element::Unreadable, Element::Function));
    let mut response = Json(Page { functions: functions.collect(), next: next.as_ref() }).into_response();
    if let Some(link) = next.and_then(|next| link(&next, limit)) {
        response.headers_mut().insert(LINK, link);
    }
    Ok(response)
}

/// The address of the next page (RFC 8288).
fn link(next: &FunctionName, limit: Option<usize>) -> Option<HeaderValue> {
    let limit = limit.map(|limit| format!("&limit={limit}")).unwrap_or_default();
    HeaderValue::from_str(&format!("</functions?after={next}{limit}>; rel=\"next\"")).ok()
}
