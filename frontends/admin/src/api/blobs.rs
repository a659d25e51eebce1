//! Reads and changes the blobs of services. Their bytes are passed on as they come, in both directions.

use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    extract::State as FromState,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, future::ready, stream};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use nebula_runtime::{
    NotThere, ServiceError,
    blobs::{BlobInfo, BlobRange, MAX_NAME},
};
use serde::Deserialize;
use tokio::{join, sync::oneshot};

use super::{
    change::{Kept, make},
    parameters::Asked,
    service::{OCTETS, Service, check_length},
    state::State,
};
use crate::{caller::Caller, problem::Problem};

/// The media type of values of JSON on lines.
const LINES: &str = "application/jsonl";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listed {
    #[serde(default)]
    prefix: String,
}

/// Lists the blobs, one on each line, as the service lists them. A service knows no cursor that would be worth a page:
/// each page would cost a listing of the whole.
pub(super) async fn list(
    FromState(state): FromState<Arc<State>>,
    Extension(caller): Extension<Caller>,
    Service(service): Service,
    Asked(Listed { prefix }): Asked<Listed>,
) -> Result<Response, Problem> {
    caller.may_read_service(&service)?;
    let mut blobs = state.services.blobs_of(&service)?.list(&prefix);
    // A service that fails at once has a status of its own.
    let first = blobs.try_next().await?;
    let lines = stream::iter(first.map(Ok)).chain(blobs).and_then(|info| ready(line(&info)));
    Ok(([(CONTENT_TYPE, LINES)], Body::from_stream(lines.inspect_err(broken_off))).into_response())
}

fn line(info: &BlobInfo) -> Result<Bytes, ServiceError> {
    let line = serde_json::to_vec(info).map(|mut line| {
        line.push(b'\n');
        line.into()
    });
    line.map_err(|error| ServiceError::unavailable("a blob cannot be listed", error))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    name: String,
}

pub(super) async fn show(
    FromState(state): FromState<Arc<State>>,
    Extension(caller): Extension<Caller>,
    Service(service): Service,
    Asked(Named { name }): Asked<Named>,
) -> Result<Response, Problem> {
    caller.may_read_service(&service)?;
    check_length("name", &name, MAX_NAME)?;
    let content = state.services.blobs_of(&service)?.get(&name, BlobRange::ALL).await?;
    let content = content.ok_or(NotThere::Blob { service, name })?;
    let body = Body::from_stream(content.bytes.inspect_err(broken_off));
    let fields = [(CONTENT_TYPE, HeaderValue::from_static(OCTETS)), (CONTENT_LENGTH, content.size.into())];
    Ok((HeaderMap::from_iter(fields), body).into_response())
}

/// The client sees that the answer ends too early, and the log says why.
fn broken_off(error: &ServiceError) {
    tracing::warn!(error = error as &dyn std::error::Error, "an answer of the admin API broke off");
}

pub(super) async fn put(
    FromState(state): FromState<Arc<State>>,
    Extension(caller): Extension<Caller>,
    service: Service,
    Asked(Named { name }): Asked<Named>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    let line = service.line(&caller, "put_blob", &name);
    let (begin, begun) = oneshot::channel();
    let prepare = async {
        caller.may_use_services()?;
        check_length("name", &name, MAX_NAME)?;
        let blobs = state.services.blobs_of(&service.0)?;
        let (sender, receiver, place) = state.blob_upload(&headers, body).await?;
        // The other end is here until the change is made.
        let _ = begin.send(sender);
        Ok((blobs, receiver, place))
    };
    let written = name.clone();
    let made = make(&state.changes, line, prepare, |(blobs, receiver, place)| async move {
        let _place = place;
        let size = receiver.put(&*blobs, &written).await?;
        Ok::<_, Problem>(Kept::of_size(size))
    });
    let sent = async {
        if let Ok(sender) = begun.await {
            sender.send().await;
        }
    };
    let (made, ()) = join!(made, sent);
    made.map(|_| StatusCode::NO_CONTENT)
}

pub(super) async fn remove(
    FromState(state): FromState<Arc<State>>,
    Extension(caller): Extension<Caller>,
    service: Service,
    Asked(Named { name }): Asked<Named>,
) -> Result<StatusCode, Problem> {
    let line = service.line(&caller, "delete_blob", &name);
    let prepare = async {
        caller.may_use_services()?;
        check_length("name", &name, MAX_NAME)?;
        Ok(state.services.blobs_of(&service.0)?)
    };
    let deleted = name.clone();
    make(&state.changes, line, prepare, |blobs| async move { blobs.delete(&deleted).await.map(|()| Kept::deleted()) })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
