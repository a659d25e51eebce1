//! The answer of one invocation.

use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE};

use crate::{Body, ReportHandle};

/// The answer of one invocation: an HTTP response in all but the protocol's version, and a report that is complete when
/// the body has ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct Response {
    /// 200, unless the guest speaks HTTP and chose another.
    pub status: StatusCode,
    /// `content-type`, and what else the guest set.
    pub headers: HeaderMap,
    /// The result. Dropping it stops the guest.
    pub body: Body,
    /// What the invocation was and cost.
    pub report: ReportHandle,
}

impl Response {
    /// A successful answer of this media type.
    pub fn new(media_type: HeaderValue, body: impl Into<Body>, report: ReportHandle) -> Self {
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(CONTENT_TYPE, media_type);
        Self { status: StatusCode::OK, headers, body: body.into(), report }
    }

    /// The body's media type, where it has one.
    pub fn media_type(&self) -> Option<&HeaderValue> {
        self.headers.get(CONTENT_TYPE)
    }
}
