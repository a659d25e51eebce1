//! Trailers of answers that their clients cannot be sent: they are dropped, and the log says so once.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use axum::body::Body;
use http::{
    HeaderMap, Response, Version,
    header::{CONTENT_LENGTH, TE, TRAILER},
};
use http_body::Body as _;

use super::lists::{has_member, members};

/// Whether a server has logged that it dropped trailers.
#[derive(Default)]
pub(super) struct DroppedTrailers(AtomicBool);

/// Which trailers a client can be sent after its answer.
pub(super) struct Sendable {
    dropped: Arc<DroppedTrailers>,
    /// The names of the trailers, or why there are none.
    names: Result<String, &'static str>,
}

/// Whether the client of a request can take trailers. With HTTP/1 it has to say so (RFC 9110, section 6.5.1).
pub(super) fn are_taken(version: Version, headers: &HeaderMap) -> bool {
    version == Version::HTTP_2 || has_member(headers, &TE, "trailers")
}

impl Sendable {
    /// The rules for the trailers of an answer. `None` if it has none, or all of them are sent.
    pub(super) fn of(
        answer: &Response<Body>,
        version: Version,
        are_taken: bool,
        dropped: &Arc<DroppedTrailers>,
    ) -> Option<Box<Self>> {
        if version == Version::HTTP_2 || answer.body().size_hint().exact().is_some() {
            return None;
        }
        let fields = answer.headers();
        let names = match (are_taken, fields.contains_key(CONTENT_LENGTH)) {
            (false, _) => Err("its client did not send TE: trailers"),
            (true, true) => Err("it has a Content-Length"),
            (true, false) => Ok(members(fields, &TRAILER).collect::<Vec<_>>().join(",")),
        };
        Some(Box::new(Self { dropped: Arc::clone(dropped), names }))
    }

    /// Logs that `trailers` are not sent, if they are the first ones.
    pub(super) fn check(&self, trailers: &HeaderMap) {
        let is_sent = |name: &str| match &self.names {
            Ok(names) => names.split(',').any(|announced| announced.eq_ignore_ascii_case(name)),
            Err(_) => false,
        };
        let dropped: Vec<_> = trailers.keys().map(http::HeaderName::as_str).filter(|name| !is_sent(name)).collect();
        if !dropped.is_empty() && !self.dropped.0.swap(true, Relaxed) {
            let why = self.names.as_ref().err().unwrap_or(&"its Trailer field does not name them");
            tracing::warn!(trailers = dropped.join(", "), "trailers of an answer were dropped, because {why}");
        }
    }
}
