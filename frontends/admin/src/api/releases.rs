//! Shows the versions of a function, what happened to it, and how two versions differ.

use std::sync::Arc;

use axum::{Extension, Json, extract::State as FromState};
use nebula_runtime::{Difference, HistoryEntry, VersionInfo};
use serde::Deserialize;

use super::{
    parameters::{Asked, Named, reference},
    state::State,
};
use crate::{caller::Caller, problem::Problem};

pub(super) async fn versions(
    FromState(state): FromState<Arc<State>>,
    Extension(caller): Extension<Caller>,
    named: Named,
) -> Result<Json<Vec<VersionInfo>>, Problem> {
    caller.may_read(Some(&named.function))?;
    Ok(Json(state.runtime.versions(&named.function).await?))
}

pub(super) async fn history(
    FromState(state): FromState<Arc<State>>,
    Extension(caller): Extension<Caller>,
    named: Named,
) -> Result<Json<Vec<HistoryEntry>>, Problem> {
    caller.may_read(Some(&named.function))?;
    Ok(Json(state.runtime.history(&named.function).await?))
}

/// The versions to compare.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Compared {
    from: String,
    to: String,
}

pub(super) async fn diff(
    FromState(state): FromState<Arc<State>>,
    Extension(caller): Extension<Caller>,
    named: Named,
    Asked(Compared { from, to }): Asked<Compared>,
) -> Result<Json<Difference>, Problem> {
    let name = named.function;
    caller.may_read(Some(&name))?;
    let (from, to) = (reference(&name, &from)?, reference(&name, &to)?);
    Ok(Json(state.runtime.diff(&from, &to).await?))
}
