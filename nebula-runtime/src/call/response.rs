//! The answer of one invocation.

use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE};

use super::{body::Body, report::ReportHandle};

/// The answer of one invocation: an HTTP response in all but the protocol's version, and a report that is complete when
/// the body has ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct Response {
    /// 200, unless the guest speaks HTTP and chose another.
    pub status: StatusCode,
    /// The body's media type, where it has one. It is kept apart from the headers: most guests set no other header, and
    /// a map of one costs more than the rest of the response.
    pub media_type: Option<HeaderValue>,
    /// All other headers that the guest set.
    pub headers: HeaderMap,
    /// The result. Dropping it stops the guest.
    pub body: Body,
    /// What the invocation was and cost.
    pub report: ReportHandle,
}

impl Response {
    /// A successful answer of this media type.
    pub fn new(media_type: HeaderValue, body: impl Into<Body>, report: ReportHandle) -> Self {
        let (status, headers) = (StatusCode::OK, HeaderMap::new());
        Self { status, media_type: Some(media_type), headers, body: body.into(), report }
    }

    /// An answer of the parts that the guest set.
    pub(crate) fn of_parts(status: StatusCode, headers: HeaderMap, body: Body, report: ReportHandle) -> Self {
        Self { status, media_type: None, headers, body, report }
    }

    /// All headers, `content-type` among them.
    pub fn take_headers(&mut self) -> HeaderMap {
        let mut headers = std::mem::take(&mut self.headers);
        if let Some(media_type) = self.media_type.take() {
            headers.insert(CONTENT_TYPE, media_type);
        }
        headers
    }
}
