//! Shows and removes functions and their versions.

use std::sync::Arc;

use axum::{
    Extension,
    extract::State as FromState,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, StatusCode, header::ETAG};
use nebula_runtime::{FunctionName, FunctionRef, IfPointedTo, Removal, Revised};
use serde::Deserialize;

use super::{
    change::{Outcome, answer, make},
    parameters::{Asked, Named},
    state::State,
};
use crate::{audit::Line, caller::Caller, precondition, problem::Problem, tokens::Right};

pub(super) async fn show(
    FromState(state): FromState<Arc<State>>,
    Extension(caller): Extension<Caller>,
    named: Named,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    describe(&state, &caller, named.function.into(), &headers).await
}

pub(super) async fn show_version(
    FromState(state): FromState<Arc<State>>,
    Extension(caller): Extension<Caller>,
    named: Named,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    describe(&state, &caller, named.reference()?, &headers).await
}

async fn describe(
    state: &State,
    caller: &Caller,
    function: FunctionRef,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    caller.may_read(Some(function.name()))?;
    let Revised { value, revision, .. } = state.runtime.stored(&function).await?;
    if precondition::is_known(headers, revision)? {
        let tag: HeaderMap = revision.and_then(precondition::tag).map(|tag| (ETAG, tag)).into_iter().collect();
        return Ok((StatusCode::NOT_MODIFIED, tag).into_response());
    }
    Ok(answer(StatusCode::OK, &value, revision))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    #[serde(default)]
    force: bool,
}

pub(super) async fn remove(
    FromState(state): FromState<Arc<State>>,
    Extension(caller): Extension<Caller>,
    named: Named,
    Asked(options): Asked<Options>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    take_away(&state, &caller, &named.function, None, options, headers).await
}

pub(super) async fn remove_version(
    FromState(state): FromState<Arc<State>>,
    Extension(caller): Extension<Caller>,
    named: Named,
    Asked(options): Asked<Options>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let number = named.number()?;
    take_away(&state, &caller, &named.function, Some(number), options, headers).await
}

async fn take_away(
    state: &State,
    caller: &Caller,
    name: &FunctionName,
    version: Option<u64>,
    Options { force }: Options,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let line = Line { version, ..caller.line("remove", Some(name)) };
    let prepare = async {
        caller.may(Right::Remove, Some(name))?;
        if force {
            // It takes the version from the aliases that point to it.
            caller.may(Right::Alias, Some(name))?;
        }
        precondition::of(&headers)
    };
    let (runtime, name, by) = (Arc::clone(&state.runtime), name.clone(), caller.name());
    let if_pointed_to = if force { IfPointedTo::Release } else { IfPointedTo::Refuse };
    let removed = make(&state.changes, line, prepare, |precondition| async move {
        runtime.remove(&name, version, if_pointed_to).by(by).only_if(precondition).revised().await
    });
    let removed = removed.await?;
    Ok(answer(StatusCode::OK, &removed.value, removed.revision))
}

impl Outcome for Removal {
    fn outcome(&self) -> String {
        let moves = self.aliases.iter().map(|moved| format!("; {}", moved.outcome()));
        let versions: Vec<_> = self.versions.iter().map(ToString::to_string).collect();
        std::iter::once(format!("removed {}", versions.join(", "))).chain(moves).collect()
    }
}
