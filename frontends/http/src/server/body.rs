//! The bodies of the requests and answers of a connection, which report their end.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::activity::Activity;

/// A body that reports to [`Activity`] when it is dropped, and whether it was read to its end.
pub(super) struct TrackedBody<B: Body> {
    body: B,
    ended: bool,
    activity: Arc<Activity>,
    end: fn(&Activity, bool),
}

impl<B: Body> TrackedBody<B> {
    pub(super) fn new(body: B, activity: &Arc<Activity>, end: fn(&Activity, bool)) -> Self {
        Self { body, ended: false, activity: Arc::clone(activity), end }
    }
}

impl<B: Body> Drop for TrackedBody<B> {
    fn drop(&mut self) {
        (self.end)(&self.activity, self.ended || self.body.is_end_stream());
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for TrackedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        self.ended |= matches!(polled, Poll::Ready(None));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
