//! The body of a request whose bytes are sent as they come.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use nebula_runtime::{ServiceError, blobs::BlobStream};

use super::progress::Progress;

/// The body of a request whose bytes are sent as they come.
pub(super) struct StreamedBody {
    /// How much is left, if that is known.
    left: Option<u64>,
    /// Never locked: it makes the stream one that threads may share.
    bytes: Mutex<BlobStream>,
    progress: Arc<Progress>,
}

impl StreamedBody {
    pub(super) fn new(size: Option<u64>, bytes: BlobStream, progress: Arc<Progress>) -> Self {
        Self { left: size, bytes: Mutex::new(bytes), progress }
    }
}

impl Body for StreamedBody {
    type Data = Bytes;
    type Error = ServiceError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ServiceError>>> {
        self.progress.note();
        let bytes = self.bytes.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Some(next) = ready!(bytes.as_mut().poll_next(context)) else { return Poll::Ready(None) };
        let sent = next.as_ref().map_or(0, |piece| piece.len() as u64);
        self.left = self.left.map(|left| left.saturating_sub(sent));
        Poll::Ready(Some(next.map(Frame::data)))
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
