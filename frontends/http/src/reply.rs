//! Converts the answer of an invocation into a response for the client.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, StatusCode,
    header::{CONNECTION, CONTENT_LENGTH, TE, TRANSFER_ENCODING, UPGRADE},
};
use http_body::{Body as _, Frame, SizeHint};
use nebula_runtime::{Body, InvocationId, InvokeError, ReportHandle, Response, ServiceUse, Start};

use crate::header_text::HeaderText;

const INVOCATION_ID: HeaderName = HeaderName::from_static("nebula-invocation-id");
const DIGEST: HeaderName = HeaderName::from_static("nebula-digest");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// The answer as a response of Axum.
pub(crate) fn send(mut response: Response, id: &InvocationId) -> axum::response::Response {
    let headers = response.take_headers();
    let Response { status, body, .. } = response;
    let mut sent = axum::response::Response::new(match body.into_whole() {
        Ok(_) if status == StatusCode::NOT_MODIFIED && headers.contains_key(CONTENT_LENGTH) => {
            axum::body::Body::new(Unsized)
        }
        Ok(bytes) => axum::body::Body::from(bytes),
        Err(body) => axum::body::Body::new(streamed(body, id.clone())),
    });
    *sent.status_mut() = status;
    let sized = sent.body().size_hint().exact().is_some_and(|size| size > 0);
    *sent.headers_mut() = headers;
    remove_framing(sent.headers_mut(), sized);
    sent
}

/// The body of a 304 with a content length, which is the length of another answer (RFC 9110, section 8.6). It has no
/// bytes, but hyper keeps the header only if it does not know the length of the body.
struct Unsized;

impl http_body::Body for Unsized {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }
}

/// A body that streams while the function may still run.
fn streamed(body: Body, id: InvocationId) -> Streamed {
    let body = body.on_end(move |ended| {
        // The headers are sent already. The client notices the failure because hyper closes the connection.
        if let Err(error) = ended {
            error.log(&id);
        }
    });
    Streamed { body, failure: None }
}

/// A body that delays its failure by one turn: hyper closes the connection at once, and would drop the bytes before the
/// failure that are not sent yet.
struct Streamed {
    body: Body,
    failure: Option<InvokeError>,
}

impl http_body::Body for Streamed {
    type Data = Bytes;
    type Error = InvokeError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, InvokeError>>> {
        if let Some(failure) = self.failure.take() {
            return Poll::Ready(Some(Err(failure)));
        }
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(Err(failure))) => {
                self.failure = Some(failure);
                // Hyper sends the bytes that it has before it waits.
                context.waker().wake_by_ref();
                Poll::Pending
            }
            other => other,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.failure.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Removes the headers that belong to the connection and not to the function (RFC 9110, section 7.6.1). A wrong one
/// would break the connection, which other requests use too.
fn remove_framing(headers: &mut HeaderMap, sized: bool) {
    const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
    // A single header is the media type: most functions set no other.
    if headers.len() == 1 {
        return;
    }
    for name in [CONNECTION, KEEP_ALIVE, TE, TRANSFER_ENCODING, UPGRADE] {
        headers.remove(name);
    }
    // Hyper checks that a stream has the length in this header, but trusts the header for a body of known size. Without
    // a body, the header is the length of the answer to a GET.
    if sized {
        headers.remove(CONTENT_LENGTH);
    }
}

/// Adds the headers with the invocation's id, the digest of the function and the times so far.
pub(crate) fn annotate(headers: &mut HeaderMap, id: &InvocationId, report: Option<&ReportHandle>) {
    let mut text = HeaderText::default();
    text.push_displayed(id);
    // Only an id from outside may be invalid in a header.
    if let Ok(id) = text.take() {
        headers.insert(INVOCATION_ID, id);
    }
    let Some(report) = report else { return };
    let (digest, start, spans, services) = report.update(|report| {
        let spans = [report.queued, report.loading, report.instantiating, report.running];
        (report.digest, report.start, spans, report.services.clone())
    });
    if let Some(digest) = digest {
        text.push_displayed(digest);
        if let Ok(digest) = text.take() {
            headers.insert(DIGEST, digest);
        }
    }
    push_timing(&mut text, start, spans);
    push_services(&mut text, &services);
    if let Ok(timing) = text.take() {
        // Appended, as a function may have added timings itself.
        headers.append(SERVER_TIMING, timing);
    }
}

/// The times of an invocation when its headers are sent: queued, loading, instantiating and running, in milliseconds
/// (Server Timing, W3C, section 4).
fn push_timing(text: &mut HeaderText, start: Start, spans: [Duration; 4]) {
    text.push("start;desc=");
    text.push(start.as_str());
    for (name, span) in [", queued;dur=", ", load;dur=", ", init;dur=", ", run;dur="].iter().zip(spans) {
        text.push(name);
        text.push_milliseconds(span);
    }
}

/// The time that the guest has spent in each service so far. The name of a service is a token.
fn push_services(text: &mut HeaderText, services: &[ServiceUse]) {
    for used in services {
        text.push(", service-");
        text.push(used.service.as_str());
        text.push(";dur=");
        text.push_milliseconds(used.time);
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_timing_is_in_milliseconds() {
        let spans = [0, 7, 1_050, 12_000_000].map(Duration::from_micros);
        let mut text = HeaderText::default();
        push_timing(&mut text, Start::Warm, spans);
        assert_eq!(
            text.take().unwrap(),
            "start;desc=warm, queued;dur=0, load;dur=0.007, init;dur=1.050, run;dur=12000"
        );
    }

    #[test]
    fn a_function_cannot_set_the_headers_of_the_connection() {
        let map = |set: &[(&'static str, &'static str)]| -> HeaderMap {
            set.iter().map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
        };
        let set = [("content-type", "text/plain"), ("connection", "close"), ("content-length", "9"), ("x-own", "1")];
        let cases: [(bool, &[(&str, &str)]); 2] = [
            (true, &[("content-type", "text/plain"), ("x-own", "1")]),
            (false, &[("content-type", "text/plain"), ("content-length", "9"), ("x-own", "1")]),
        ];
        for (sized, left) in cases {
            let mut headers = map(&set);
            remove_framing(&mut headers, sized);
            assert_eq!(headers, map(left));
        }
    }
}
