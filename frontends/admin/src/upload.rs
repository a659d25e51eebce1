//! The body of a request: within its limits, and in its parts.

use std::{convert::Infallible, future::ready, time::Duration};

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

    /// Checks that a body may have so many bytes.
    pub(crate) fn check_size(self, bytes: u64) -> Result<(), Problem> {
        let Self { size, .. } = self;
        if bytes <= size.as_u64() {
            return Ok(());
        }
        let detail = format!("the body is larger than the limit of {size} (max_upload of [admin])");
        Err(Problem::new(Kind::TooLarge, detail))
    }
}

/// Receives a whole body.
///
/// # Errors
/// The body is too large or too slow, breaks off, or has a content coding.
pub(crate) async fn receive(headers: &HeaderMap, body: Body, limits: UploadLimits) -> Result<Bytes, Problem> {
    check(headers, &body, limits)?;
    let received = timeout(limits.time, collect(body, limits)).await;
    received.unwrap_or_else(|_| Err(too_slow()))
}

/// Checks a body before it is read.
///
/// # Errors
/// The body is known to be too large, or has a content coding.
pub(crate) fn check(headers: &HeaderMap, body: &Body, limits: UploadLimits) -> Result<(), Problem> {
    if let Some(coding) = headers.get(CONTENT_ENCODING).filter(|coding| coding.as_bytes() != b"identity") {
        let detail = format!("the body has the content coding {coding:?}: send it without one");
        return Err(Problem::new(Kind::UnsupportedCoding, detail));
    }
    limits.check_size(http_body::Body::size_hint(body).lower())
}

/// The next bytes of a body; nothing at its end.
///
/// # Errors
/// The body breaks off, or its client sends nothing for as long as `stall`.
pub(crate) async fn next(body: &mut Body, stall: Duration) -> Result<Option<Bytes>, Problem> {
    let next = timeout(stall, body.frame()).await;
    let next = next.map_err(|_| Problem::new(Kind::TooSlow, "the body stalled: the client sent nothing more"))?;
    let Some(frame) = next else { return Ok(None) };
    let frame = frame.map_err(|_| broken_off())?;
    Ok(Some(frame.into_data().unwrap_or_default()))
}

/// The failure of a body that takes too long altogether.
pub(crate) fn too_slow() -> Problem {
    Problem::new(Kind::TooSlow, "the body took too long")
}

/// The failure of a body that ends too early.
pub(crate) fn broken_off() -> Problem {
    Problem::new(Kind::BrokenOff, "the body broke off")
}

async fn collect(mut body: Body, limits: UploadLimits) -> Result<Bytes, Problem> {
    let mut received = BytesMut::new();
    while let Some(data) = next(&mut body, limits.stall).await? {
        received.extend_from_slice(&data);
        limits.check_size(received.len() as u64)?;
    }
    Ok(received.freeze())
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
