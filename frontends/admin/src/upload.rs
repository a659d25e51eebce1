//! The body of a request: within its limits, and in its parts.

use std::{convert::Infallible, future::ready, pin::pin, time::Duration};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http::{
    HeaderMap,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use http_body_util::BodyExt as _;
use multer::{Multipart, parse_boundary};
use nebula_runtime::{ByteSize, FunctionConfig, Origin};
use tokio::time::timeout;

use crate::{
    origin,
    problem::{Kind, Problem},
};

/// How large a body may be, and how long it may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UploadLimits {
    /// The largest body.
    pub(crate) size: ByteSize,
    /// How long the client may send nothing.
    pub(crate) stall: Duration,
    /// How long the whole body may take.
    pub(crate) time: Duration,
}

impl UploadLimits {
    /// The same limits with another size.
    pub(crate) fn of_size(self, size: ByteSize) -> Self {
        Self { size, ..self }
    }
}

/// Receives a whole body.
///
/// # Errors
/// The body is too large or too slow, breaks off, or has a content coding.
pub(crate) async fn receive(headers: &HeaderMap, body: Body, limits: UploadLimits) -> Result<Bytes, Problem> {
    if let Some(coding) = headers.get(CONTENT_ENCODING).filter(|coding| coding.as_bytes() != b"identity") {
        let detail = format!("the body has the content coding {coding:?}: send it without one");
        return Err(Problem::new(Kind::UnsupportedCoding, detail));
    }
    let received = timeout(limits.time, collect(body, limits)).await;
    received.unwrap_or_else(|_| Err(Problem::new(Kind::TooSlow, "the body took too long")))
}

async fn collect(body: Body, limits: UploadLimits) -> Result<Bytes, Problem> {
    let UploadLimits { size, stall, .. } = limits;
    let too_large = || {
        let detail = format!("the body is larger than the limit of {size} (max_upload of [admin])");
        Problem::new(Kind::TooLarge, detail)
    };
    if http_body::Body::size_hint(&body).lower() > size.as_u64() {
        return Err(too_large());
    }
    let (mut body, mut received) = (pin!(body), BytesMut::new());
    loop {
        let next = timeout(stall, body.frame()).await;
        let next = next.map_err(|_| Problem::new(Kind::TooSlow, "the body stalled: the client sent nothing more"))?;
        let Some(frame) = next else { return Ok(received.freeze()) };
        let frame = frame.map_err(|_| Problem::new(Kind::BrokenOff, "the body broke off"))?;
        if let Ok(data) = frame.into_data() {
            received.extend_from_slice(&data);
        }
        if received.len() as u64 > size.as_u64() {
            return Err(too_large());
        }
    }
}

/// A function that is to be published, as it was sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Uploaded {
    pub(crate) module: Bytes,
    pub(crate) config: FunctionConfig,
    /// The registry that its sender pulled it from.
    pub(crate) origin: Option<Origin>,
}

/// The parts of a body: a module with its configuration and its origin, or a module alone.
///
/// # Errors
/// A part is missing, unknown or there twice, or cannot be understood.
pub(crate) async fn parts(headers: &HeaderMap, body: Bytes) -> Result<Uploaded, Problem> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match parse_boundary(content_type) {
        Ok(boundary) => split(body, boundary).await,
        Err(multer::Error::NoBoundary) => Err(malformed("the multipart body has no boundary")),
        Err(_) => Ok(Uploaded { module: body, config: FunctionConfig::default(), origin: None }),
    }
}

async fn split(body: Bytes, boundary: String) -> Result<Uploaded, Problem> {
    let mut parts = Multipart::new(stream::once(ready(Ok::<_, Infallible>(body))), boundary);
    let broken = |error: multer::Error| malformed(format!("the multipart body cannot be read: {error}"));
    let (mut module, mut config, mut origin) = (None, None, None);
    while let Some(part) = parts.next_field().await.map_err(broken)? {
        let name = part.name().unwrap_or_default().to_owned();
        let place = match name.as_str() {
            "module" => &mut module,
            "configuration" => &mut config,
            "origin" => &mut origin,
            other => {
                let expected = "expected module, configuration and origin";
                return Err(malformed(format!("unknown part {other:?}: {expected}")));
            }
        };
        if place.replace(part.bytes().await.map_err(broken)?).is_some() {
            return Err(malformed(format!("the part {name} is there twice")));
        }
    }
    let missing = |part| malformed(format!("the part {part} is missing"));
    let (module, config) = (module.ok_or_else(|| missing("module"))?, config.ok_or_else(|| missing("configuration"))?);
    let config = serde_json::from_slice(&config)
        .map_err(|error| Problem::new(Kind::Invalid, format!("the configuration cannot be understood: {error}")))?;
    let origin = origin.map(|origin| origin::read(&origin)).transpose()?;
    Ok(Uploaded { module, config, origin })
}

fn malformed(detail: impl Into<String>) -> Problem {
    Problem::new(Kind::Malformed, detail)
}

#[cfg(test)]
mod tests;
