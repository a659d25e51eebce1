//! A guest's stdout. It becomes the response's body.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use tokio::io::AsyncWrite;
use wasmtime_wasi::{
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamError, StreamResult},
};

use crate::{
    call::{ErrorKind, InvokeError},
    sync::lock,
};

/// How many bytes of output a guest may write before its reader takes them.
pub(crate) const WINDOW: usize = 64 << 10;

/// The buffer between a guest's stdout and the response's body. Clones share one buffer.
///
/// A full buffer makes the guest wait. The task that empties the buffer then polls the guest. A guest with tasks of its
/// own, which are polled only when they are woken, is also woken.
#[derive(Clone)]
pub(crate) struct Stdout(Arc<Mutex<Writing>>);

struct Writing {
    buffer: BytesMut,
    written: u64,
    limit: u64,
    /// A task of the guest that waits for room.
    waiting: Option<Waker>,
    /// Why a write of the guest was refused.
    failure: Option<InvokeError>,
}

impl Stdout {
    pub(crate) fn new(limit: u64) -> Self {
        Self(Arc::new(Mutex::new(Writing { buffer: BytesMut::new(), written: 0, limit, waiting: None, failure: None })))
    }

    /// Takes the bytes out of the buffer.
    pub(crate) fn take(&self) -> Bytes {
        let mut writing = lock(&self.0);
        if let Some(waiting) = writing.waiting.take() {
            waiting.wake();
        }
        writing.buffer.split().freeze()
    }

    /// Why a write of the guest was refused, if that did not stop the guest at once.
    pub(crate) fn take_failure(&self) -> Option<InvokeError> {
        lock(&self.0).failure.take()
    }

    /// How many bytes are in the buffer.
    pub(crate) fn len(&self) -> usize {
        lock(&self.0).buffer.len()
    }

    /// How many bytes the guest has written altogether.
    pub(crate) fn written(&self) -> u64 {
        lock(&self.0).written
    }
}

impl Writing {
    fn room(&self) -> usize {
        WINDOW.saturating_sub(self.buffer.len())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), InvokeError> {
        let written = self.written + bytes.len() as u64;
        if written > self.limit {
            let detail = format!("the function wrote more than the limit of {} bytes (max_response)", self.limit);
            return Err(InvokeError::new(ErrorKind::LimitExceeded, detail));
        }
        self.buffer.extend_from_slice(bytes);
        self.written = written;
        Ok(())
    }
}

#[async_trait]
impl Pollable for Stdout {
    async fn ready(&mut self) {
        poll_fn(|_| if lock(&self.0).room() > 0 { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}

impl OutputStream for Stdout {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        lock(&self.0).write(&bytes).map_err(|error| StreamError::Trap(error.into()))
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(lock(&self.0).room())
    }
}

impl AsyncWrite for Stdout {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut writing = lock(&self.0);
        let bytes = bytes.get(..writing.room()).unwrap_or(bytes);
        if bytes.is_empty() {
            writing.waiting = Some(context.waker().clone());
            return Poll::Pending;
        }
        let written = writing.write(bytes).map(|()| bytes.len());
        Poll::Ready(written.map_err(|failure| {
            writing.failure = Some(failure);
            io::ErrorKind::StorageFull.into()
        }))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl IsTerminal for Stdout {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stdout {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}
