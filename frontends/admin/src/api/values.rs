//! Reads and changes the values of key-value stores.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Body,
    extract::State as FromState,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use nebula_runtime::{
    NotThere,
    keyvalue::{MAX_KEY, Page},
};
use serde::Deserialize;

use super::{
    change::{Kept, make},
    parameters::Asked,
    service::{OCTETS, Service, check_length},
    state::State,
};
use crate::{caller::Caller, content_digest, problem::Problem};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listed {
    #[serde(default)]
    prefix: String,
    cursor: Option<String>,
}

pub(super) async fn list(
    FromState(state): FromState<Arc<State>>,
    Extension(caller): Extension<Caller>,
    Service(service): Service,
    Asked(Listed { prefix, cursor }): Asked<Listed>,
) -> Result<Json<Page>, Problem> {
    caller.may_read_service(&service)?;
    let store = state.services.keyvalue_of(&service)?;
    Ok(Json(store.list(&prefix, cursor.as_deref()).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Keyed {
    key: String,
}

pub(super) async fn show(
    FromState(state): FromState<Arc<State>>,
    Extension(caller): Extension<Caller>,
    Service(service): Service,
    Asked(Keyed { key }): Asked<Keyed>,
) -> Result<Response, Problem> {
    caller.may_read_service(&service)?;
    check_length("key", &key, MAX_KEY)?;
    let value = state.services.keyvalue_of(&service)?.get(&key).await?;
    let value = value.ok_or(NotThere::Key { service, key })?;
    Ok(([(CONTENT_TYPE, OCTETS)], value).into_response())
}

pub(super) async fn set(
    FromState(state): FromState<Arc<State>>,
    Extension(caller): Extension<Caller>,
    service: Service,
    Asked(Keyed { key }): Asked<Keyed>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    let line = service.line(&caller, "set_value", &key);
    let prepare = async {
        caller.may_use_services()?;
        check_length("key", &key, MAX_KEY)?;
        let store = state.services.keyvalue_of(&service.0)?;
        let (value, place) = state.upload(&headers, body).await?;
        content_digest::check(&headers, &value)?;
        Ok((store, value, place))
    };
    let changed = key.clone();
    make(&state.changes, line, prepare, |(store, value, place)| async move {
        let _place = place;
        let size = value.len() as u64;
        store.set(&changed, value).await.map(|()| Kept::of_size(size))
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn remove(
    FromState(state): FromState<Arc<State>>,
    Extension(caller): Extension<Caller>,
    service: Service,
    Asked(Keyed { key }): Asked<Keyed>,
) -> Result<StatusCode, Problem> {
    let line = service.line(&caller, "delete_value", &key);
    let prepare = async {
        caller.may_use_services()?;
        check_length("key", &key, MAX_KEY)?;
        Ok(state.services.keyvalue_of(&service.0)?)
    };
    let deleted = key.clone();
    make(&state.changes, line, prepare, |store| async move { store.delete(&deleted).await.map(|()| Kept::deleted()) })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
