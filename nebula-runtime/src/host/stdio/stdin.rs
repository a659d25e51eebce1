//! A guest's stdin. It reads the event's body.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
};

use async_trait::async_trait;
use bytes::Bytes;
use http_body::Body as _;
use tokio::io::{AsyncRead, ReadBuf};
use wasmtime_wasi::{
    cli::{IsTerminal, StdinStream},
    p2::{InputStream, Pollable, StreamError, StreamResult},
};

use crate::{
    call::{Body, InvokeError},
    sync::lock,
};

/// An event's body as a guest's stdin. Clones share one position.
#[derive(Clone)]
pub(crate) struct Stdin(Arc<Mutex<Reading>>);

struct Reading {
    body: Body,
    /// Bytes of the body that the guest has not read yet.
    ready: Bytes,
    ended: bool,
    /// How many bytes the guest has read.
    read: u64,
    /// Why the body broke off.
    failure: Option<InvokeError>,
}

impl Stdin {
    pub(crate) fn new(body: Body) -> Self {
        Self(Arc::new(Mutex::new(Reading { body, ready: Bytes::new(), ended: false, read: 0, failure: None })))
    }

    /// Why the event's body broke off, if it did.
    pub(crate) fn take_failure(&self) -> Option<InvokeError> {
        lock(&self.0).failure.take()
    }

    /// How many bytes the guest has read.
    pub(crate) fn read(&self) -> u64 {
        lock(&self.0).read
    }
}

impl Reading {
    /// Waits until there are bytes, or the body has ended or failed.
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.ready.is_empty() && !self.ended {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => self.ready = frame.into_data().unwrap_or_default(),
                Some(Err(error)) => {
                    self.failure = Some(error);
                    self.ended = true;
                }
                None => self.ended = true,
            }
        }
        Poll::Ready(())
    }

    fn take(&mut self, size: usize) -> Bytes {
        let bytes = self.ready.split_to(size.min(self.ready.len()));
        self.read += bytes.len() as u64;
        bytes
    }
}

#[async_trait]
impl Pollable for Stdin {
    async fn ready(&mut self) {
        poll_fn(|context| lock(&self.0).poll_ready(context)).await;
    }
}

impl InputStream for Stdin {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        let mut reading = lock(&self.0);
        if !reading.ready.is_empty() {
            return Ok(reading.take(size));
        }
        match (reading.ended, &reading.failure) {
            // A guest that has only a part of the event must not produce a result, so it is stopped.
            (_, Some(failure)) => Err(StreamError::trap(failure.detail())),
            (true, None) => Err(StreamError::Closed),
            (false, None) => Ok(Bytes::new()),
        }
    }
}

impl AsyncRead for Stdin {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut reading = lock(&self.0);
        ready!(reading.poll_ready(context));
        buffer.put_slice(&reading.take(buffer.remaining()));
        Poll::Ready(
            reading.failure.as_ref().map_or(Ok(()), |failure| Err(io::Error::other(failure.detail().to_owned()))),
        )
    }
}

impl IsTerminal for Stdin {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdinStream for Stdin {
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(self.clone())
    }
}
