//! The bytes between a guest that writes a blob and the service that takes them.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use bytes::{Bytes, BytesMut};
use futures_util::Stream;

use crate::{host::failure::ServiceError, sync::lock};

/// The bytes between a guest that writes a blob and the service that takes them. Clones share them.
///
/// - It ends only if that is said. If the guest goes away, it just stays as it is.
#[derive(Clone, Default)]
pub(super) struct Pipe(Arc<Mutex<Bytestream>>);

#[derive(Default)]
struct Bytestream {
    bytes: BytesMut,
    is_ended: bool,
    reader: Option<Waker>,
}

impl Pipe {
    /// How many bytes nobody has taken yet.
    pub(super) fn len(&self) -> usize {
        lock(&self.0).bytes.len()
    }

    pub(super) fn write(&self, bytes: &[u8]) {
        let mut pipe = lock(&self.0);
        pipe.bytes.extend_from_slice(bytes);
        pipe.wake();
    }

    pub(super) fn is_ended(&self) -> bool {
        lock(&self.0).is_ended
    }

    /// No more bytes come.
    pub(super) fn end(&self) {
        let mut pipe = lock(&self.0);
        pipe.is_ended = true;
        pipe.wake();
    }
}

impl Bytestream {
    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

impl Stream for Pipe {
    type Item = Result<Bytes, ServiceError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut pipe = lock(&self.0);
        if !pipe.bytes.is_empty() {
            return Poll::Ready(Some(Ok(pipe.bytes.split().freeze())));
        }
        if pipe.is_ended {
            return Poll::Ready(None);
        }
        pipe.reader = Some(context.waker().clone());
        Poll::Pending
    }
}
