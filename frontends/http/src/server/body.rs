//! The bodies of the requests and answers of a connection, which report their end.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::{
    activity::{Activity, Answering},
    trailers::Sendable,
};

/// The body of a request. It reports to [`Activity`] if it is dropped before its end.
pub(super) struct RequestBody {
    body: Incoming,
    ended: bool,
    /// Whether the body comes over HTTP/2.
    is_stream: bool,
    activity: Arc<Activity>,
}

/// Why the body of a request ended before its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum UploadError {
    #[error("failed to read the request's body")]
    Broken(#[source] hyper::Error),
    #[error("the client has reset the stream before the end of the request's body")]
    Reset,
}

impl RequestBody {
    pub(super) fn new(body: Incoming, is_stream: bool, activity: Arc<Activity>) -> Self {
        Self { body, ended: false, is_stream, activity }
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if !self.ended && !self.body.is_end_stream() {
            self.activity.leave_upload();
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = UploadError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        self.ended |= matches!(polled, Poll::Ready(None));
        match polled {
            // Hyper takes a stream that was reset without an error for one that has ended.
            Poll::Ready(None) if self.is_stream && !self.body.is_end_stream() => {
                Poll::Ready(Some(Err(UploadError::Reset)))
            }
            polled => polled.map(|frame| frame.map(|frame| frame.map_err(UploadError::Broken))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer. The request is being answered until it is dropped.
pub(super) struct AnswerBody {
    body: axum::body::Body,
    trailers: Option<Box<Sendable>>,
    _answering: Answering,
}

impl AnswerBody {
    pub(super) fn new(body: axum::body::Body, trailers: Option<Box<Sendable>>, answering: Answering) -> Self {
        Self { body, trailers, _answering: answering }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let (Some(sendable), Poll::Ready(Some(Ok(frame)))) = (&self.trailers, &polled)
            && let Some(trailers) = frame.trailers_ref()
        {
            sendable.check(trailers);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
