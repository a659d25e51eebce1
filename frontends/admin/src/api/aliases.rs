//! Shows, moves and removes aliases, and takes moves back.

use std::sync::Arc;

use axum::{Extension, Json, body::Body, extract::State as FromState, response::Response};
use http::{HeaderMap, StatusCode};
use nebula_runtime::{AliasInfo, AliasName, AliasTarget, Precondition};
use serde::Deserialize;

use super::{
    change::{answer, make},
    parameters::Named,
    state::State,
};
use crate::{
    audit::Line,
    caller::Caller,
    precondition,
    problem::{Kind, Problem},
    tokens::Right,
};

pub(super) async fn list(
    FromState(state): FromState<Arc<State>>,
    Extension(caller): Extension<Caller>,
    named: Named,
) -> Result<Json<Vec<AliasInfo>>, Problem> {
    caller.may_read(Some(&named.function))?;
    Ok(Json(state.runtime.aliases(&named.function).await?))
}

pub(super) async fn set(
    FromState(state): FromState<Arc<State>>,
    Extension(caller): Extension<Caller>,
    named: Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (alias, name) = (named.alias()?, named.function);
    let line = Line { alias: Some(alias.clone()), ..caller.line("alias", Some(&name)) };
    let prepare = async {
        caller.may(Right::Alias, Some(&name))?;
        let body = state.small_body(&headers, body).await?;
        let target: AliasTarget = serde_json::from_slice(&body).map_err(|error| {
            let detail = format!("the body is no target of an alias such as {{\"weights\":{{\"3\":1}}}}: {error}");
            Problem::new(Kind::Malformed, detail)
        })?;
        Ok((target, precondition::of(&headers)?))
    };
    let (runtime, function, by) = (Arc::clone(&state.runtime), name.clone(), caller.name());
    let moved = make(&state.changes, line, prepare, |(target, precondition)| async move {
        runtime.set_alias(&function, &alias, target).by(by).only_if(precondition).revised().await
    });
    let moved = moved.await?;
    Ok(answer(StatusCode::OK, &moved.value, moved.revision))
}

pub(super) async fn remove(
    FromState(state): FromState<Arc<State>>,
    Extension(caller): Extension<Caller>,
    named: Named,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (alias, name) = (named.alias()?, named.function);
    let line = Line { alias: Some(alias.clone()), ..caller.line("remove_alias", Some(&name)) };
    let prepare = async {
        caller.may(Right::Alias, Some(&name))?;
        precondition::of(&headers)
    };
    let (runtime, function, by) = (Arc::clone(&state.runtime), name.clone(), caller.name());
    let moved = make(&state.changes, line, prepare, |precondition| async move {
        runtime.remove_alias(&function, &alias).by(by).only_if(precondition).revised().await
    });
    let moved = moved.await?;
    Ok(answer(StatusCode::OK, &moved.value, moved.revision))
}

/// The body of a rollback. Without an alias, it is the only one that there is.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Rollback {
    alias: Option<AliasName>,
}

pub(super) async fn roll_back(
    FromState(state): FromState<Arc<State>>,
    Extension(caller): Extension<Caller>,
    named: Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let name = named.function;
    let prepare = async {
        caller.may(Right::Alias, Some(&name))?;
        let body = state.small_body(&headers, body).await?;
        Ok((rollback(&body)?, precondition::of(&headers)?))
    };
    let (runtime, function, by) = (Arc::clone(&state.runtime), name.clone(), caller.name());
    let change = |(Rollback { alias }, precondition): (Rollback, Option<Precondition>)| async move {
        runtime.roll_back(&function, alias.as_ref()).by(by).only_if(precondition).revised().await
    };
    let moved = make(&state.changes, caller.line("rollback", Some(&name)), prepare, change).await?;
    Ok(answer(StatusCode::OK, &moved.value, moved.revision))
}

fn rollback(body: &[u8]) -> Result<Rollback, Problem> {
    if body.is_empty() {
        return Ok(Rollback::default());
    }
    serde_json::from_slice(body).map_err(|error| {
        let detail = format!("the body is no rollback such as {{\"alias\":\"prod\"}}: {error}");
        Problem::new(Kind::Malformed, detail)
    })
}
