//! Shows the last invocations.

use std::sync::Arc;

use axum::{Extension, Json, extract::State as FromState};
use nebula_runtime::FunctionName;
use serde::{Deserialize, Serialize};

use super::{parameters::Asked, state::State};
use crate::{
    caller::Caller,
    problem::{Kind, Problem},
    recent::{Shown, Wanted},
};

/// How many invocations are shown by default.
const LIMIT: usize = 100;

/// How many invocations are shown at most: as many as are kept.
const MAX_LIMIT: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    function: Option<FunctionName>,
    #[serde(default)]
    failed: bool,
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

/// The invocations, and the place of the last one, which a client gives to see those after it.
#[derive(Serialize)]
pub(super) struct Listed {
    invocations: Vec<Shown>,
    last: u64,
}

pub(super) async fn list(
    FromState(state): FromState<Arc<State>>,
    Extension(caller): Extension<Caller>,
    Asked(Options { function, failed, after, limit }): Asked<Options>,
) -> Result<Json<Listed>, Problem> {
    caller.may_read(function.as_ref())?;
    let limit = limit.unwrap_or(LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Problem::new(Kind::Malformed, format!("limit: expected a number from 1 to {MAX_LIMIT}")));
    }
    let includes = |name: &FunctionName| match &function {
        Some(function) => name == function,
        None => caller.sees(name),
    };
    let invocations = state.recent.find(&Wanted { includes: &includes, failed, after, limit });
    let last = invocations.first().map_or(after, |newest| newest.place);
    Ok(Json(Listed { invocations, last }))
}
