//! The bytes of an event or of a response, as they come.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt as _, combinators::UnsyncBoxBody};

use super::error::{ErrorKind, InvokeError};

/// A stream of bytes, possibly with trailers.
///
/// - Never collected unless a guest's kind needs the whole of it.
/// - Dropping a response's body stops the guest that writes it.
/// - After an error the body has ended.
#[derive(Default)]
pub struct Body(Inner);

#[derive(Default)]
enum Inner {
    #[default]
    Empty,
    Whole(Bytes),
    Stream(UnsyncBoxBody<Bytes, InvokeError>),
}

impl Body {
    /// A body without bytes.
    pub fn empty() -> Self {
        Self::default()
    }

    /// A body that streams.
    pub fn stream(body: impl http_body::Body<Data = Bytes, Error = InvokeError> + Send + 'static) -> Self {
        Self(Inner::Stream(body.boxed_unsync()))
    }

    /// The bytes, if all of them are in memory.
    pub fn as_whole(&self) -> Option<&Bytes> {
        static EMPTY: Bytes = Bytes::new();
        match &self.0 {
            Inner::Empty => Some(&EMPTY),
            Inner::Whole(bytes) => Some(bytes),
            Inner::Stream(_) => None,
        }
    }

    /// The bytes, if all of them are in memory; else the body again.
    ///
    /// # Errors
    /// The body, where it streams.
    pub fn into_whole(self) -> Result<Bytes, Self> {
        match self.0 {
            Inner::Empty => Ok(Bytes::new()),
            Inner::Whole(bytes) => Ok(bytes),
            Inner::Stream(_) => Err(self),
        }
    }

    /// Whether it is known that no bytes will come.
    pub fn is_known_empty(&self) -> bool {
        http_body::Body::is_end_stream(self)
    }

    /// The same body, ending in [`ErrorKind::PayloadTooLarge`] once more than `limit` bytes came.
    #[must_use]
    pub fn limited(self, limit: u64) -> Self {
        match self.0 {
            Inner::Empty => self,
            Inner::Whole(ref bytes) if bytes.len() as u64 <= limit => self,
            inner => Self::stream(Limited { inner: Self(inner), left: limit, limit }),
        }
    }

    /// The same body, which calls `ended` once at its end, with the error if it broke off.
    ///
    /// A body whose bytes are all in memory has ended already. A body that is dropped before its end drops `ended`
    /// without calling it.
    #[must_use]
    pub fn on_end(self, ended: impl FnOnce(Result<(), &InvokeError>) + Send + Unpin + 'static) -> Self {
        if self.as_whole().is_some() {
            ended(Ok(()));
            return self;
        }
        Self::stream(OnEnd { inner: self, ended: Some(ended) })
    }

    /// All bytes, trailers dropped.
    ///
    /// # Errors
    /// [`ErrorKind::PayloadTooLarge`] past `limit` bytes, or what the body itself ends with.
    pub async fn collect(self, limit: u64) -> Result<Bytes, InvokeError> {
        self.collect_or(limit, || too_large(limit)).await
    }

    /// All bytes, trailers dropped. `too_large` makes the failure of a body that is over the limit.
    ///
    /// # Errors
    /// That of `too_large` past `limit` bytes, or what the body itself ends with.
    pub async fn collect_or(self, limit: u64, too_large: impl FnOnce() -> InvokeError) -> Result<Bytes, InvokeError> {
        let mut body = match self.into_whole() {
            Ok(bytes) if bytes.len() as u64 <= limit => return Ok(bytes),
            Ok(_) => return Err(too_large()),
            Err(body) => body,
        };
        let mut collected = BytesMut::new();
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame?.into_data() {
                collected.extend_from_slice(&data);
            }
            if collected.len() as u64 > limit {
                return Err(too_large());
            }
        }
        Ok(collected.freeze())
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Self {
        let bytes = bytes.into();
        Self(if bytes.is_empty() { Inner::Empty } else { Inner::Whole(bytes) })
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = InvokeError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, InvokeError>>> {
        match &mut self.0 {
            Inner::Stream(stream) => Pin::new(stream).poll_frame(context),
            inner => Poll::Ready(match std::mem::take(inner) {
                Inner::Whole(bytes) => Some(Ok(Frame::data(bytes))),
                _ => None,
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Empty => true,
            Inner::Whole(_) => false,
            Inner::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Empty => SizeHint::with_exact(0),
            Inner::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Inner::Stream(stream) => stream.size_hint(),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_whole() {
            Some(bytes) => write!(f, "Body({} bytes)", bytes.len()),
            None => f.write_str("Body(streaming)"),
        }
    }
}

struct Limited {
    inner: Body,
    left: u64,
    limit: u64,
}

impl http_body::Body for Limited {
    type Data = Bytes;
    type Error = InvokeError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, InvokeError>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let size = frame.data_ref().map_or(0, |data| data.len() as u64);
            let Some(left) = self.left.checked_sub(size) else {
                self.inner = Body::empty();
                return Poll::Ready(Some(Err(too_large(self.limit))));
            };
            self.left = left;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

struct OnEnd<F> {
    inner: Body,
    ended: Option<F>,
}

impl<F: FnOnce(Result<(), &InvokeError>) + Unpin> http_body::Body for OnEnd<F> {
    type Data = Bytes;
    type Error = InvokeError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, InvokeError>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        let end = match &polled {
            Poll::Ready(None) => Ok(()),
            // A reader that knows the length does not come back for the end.
            Poll::Ready(Some(Ok(_))) if self.inner.is_end_stream() => Ok(()),
            Poll::Ready(Some(Err(error))) => Err(error),
            Poll::Ready(Some(Ok(_))) | Poll::Pending => return polled,
        };
        // The inner body is dropped before that: it adds its last figures to the report when it is dropped.
        self.inner = Body::empty();
        if let Some(ended) = self.ended.take() {
            ended(end);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The failure of a request that is over its limit of `limit` bytes.
pub(crate) fn too_large(limit: u64) -> InvokeError {
    InvokeError::new(
        ErrorKind::PayloadTooLarge,
        format!("the request is larger than the limit of {limit} bytes (max_request)"),
    )
}
