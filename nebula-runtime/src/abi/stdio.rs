//! A guest's standard streams: stdin out of the event's body, stdout into the response's, stderr into the log.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use async_trait::async_trait;
use bytes::{Buf as _, Bytes, BytesMut};
use http_body::Body as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wasmtime_wasi::{
    FsPerms, WasiCtxBuilder,
    cli::{IsTerminal, StdinStream, StdoutStream},
    p1::WasiP1Ctx,
    p2::{InputStream, OutputStream, Pollable, StreamError, StreamResult},
};

use super::GuestStderr;
use crate::{Body, ErrorKind, FunctionConfig, InvocationId, InvokeError};

/// How much output a guest may be ahead of its reader.
pub(super) const WINDOW: usize = 64 << 10;

/// How much of a guest's stderr one invocation may put into the log.
const MAX_LOGGED: usize = 64 << 10;

/// A line of stderr longer than this is logged in pieces.
const MAX_LINE: usize = 4 << 10;

/// The system interface of a guest that is given what its configuration grants, and no input.
pub(super) fn without_input(
    config: &FunctionConfig,
    id: &InvocationId,
    stderr: GuestStderr,
) -> Result<WasiP1Ctx, InvokeError> {
    let mut wasi = granted(config)?;
    let log = Stderr::new(id, stderr);
    // A core module's result is what it returns: what it prints is for the developer.
    wasi.stdout(log.clone()).stderr(log);
    Ok(wasi.build_p1())
}

/// What the configuration grants: environment and folders, and nothing else.
pub(super) fn granted(config: &FunctionConfig) -> Result<WasiCtxBuilder, InvokeError> {
    let mut wasi = WasiCtxBuilder::new();
    for (name, value) in &config.env {
        wasi.env(name, value);
    }
    for dir in &config.dirs {
        let perms = if dir.writable { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
        wasi.preopened_dir(&dir.host, &dir.guest, perms).map_err(|error| {
            let detail = format!("the folder {} that is granted to the function cannot be opened", dir.guest);
            InvokeError::new(ErrorKind::Unavailable, detail).with_source(error)
        })?;
    }
    Ok(wasi)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // None of these states has an invariant that a panic between two writes could break.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An event's body as a guest's stdin. Clones share one position.
#[derive(Clone)]
pub(super) struct Stdin(Arc<Mutex<Reading>>);

struct Reading {
    body: Body,
    ready: Bytes,
    ended: bool,
    read: u64,
    failure: Option<InvokeError>,
}

impl Stdin {
    pub(super) fn new(body: Body) -> Self {
        Self(Arc::new(Mutex::new(Reading { body, ready: Bytes::new(), ended: false, read: 0, failure: None })))
    }

    /// Why the event's body broke off, if it did.
    pub(super) fn take_failure(&self) -> Option<InvokeError> {
        lock(&self.0).failure.take()
    }

    /// How many bytes the guest has read.
    pub(super) fn read(&self) -> u64 {
        lock(&self.0).read
    }
}

impl Reading {
    /// Waits for bytes, for the end or for a failure.
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.ready.is_empty() && !self.ended {
            match std::task::ready!(Pin::new(&mut self.body).poll_frame(context)) {
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
            // The event is broken, and so is whatever the guest would make of it: stop it here.
            (_, Some(failure)) => Err(StreamError::trap(failure.detail())),
            (true, None) => Err(StreamError::Closed),
            (false, None) => Ok(Bytes::new()),
        }
    }
}

impl AsyncRead for Stdin {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut reading = lock(&self.0);
        std::task::ready!(reading.poll_ready(context));
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

/// A guest's stdout on its way into a response's body. Clones share one buffer.
///
/// A full buffer makes the guest wait. Nobody wakes it: whoever empties the buffer polls the guest next, in the same task.
#[derive(Clone)]
pub(super) struct Stdout(Arc<Mutex<Writing>>);

struct Writing {
    buffer: BytesMut,
    written: u64,
    limit: u64,
}

impl Stdout {
    pub(super) fn new(limit: u64) -> Self {
        Self(Arc::new(Mutex::new(Writing { buffer: BytesMut::new(), written: 0, limit })))
    }

    /// What has been written and not been taken.
    pub(super) fn take(&self) -> Bytes {
        lock(&self.0).buffer.split().freeze()
    }

    /// How much has been written and not been taken.
    pub(super) fn len(&self) -> usize {
        lock(&self.0).buffer.len()
    }

    /// How many bytes the guest has written in all.
    pub(super) fn written(&self) -> u64 {
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
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut writing = lock(&self.0);
        let bytes = bytes.get(..writing.room()).unwrap_or(bytes);
        if bytes.is_empty() {
            return Poll::Pending;
        }
        Poll::Ready(writing.write(bytes).map(|()| bytes.len()).map_err(io::Error::other))
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

/// A guest's stderr. Clones share one buffer.
#[derive(Clone)]
pub(super) struct Stderr(Arc<Mutex<Logging>>);

struct Logging {
    id: InvocationId,
    target: GuestStderr,
    line: BytesMut,
    left: usize,
}

impl Stderr {
    pub(super) fn new(id: &InvocationId, target: GuestStderr) -> Self {
        Self(Arc::new(Mutex::new(Logging { id: id.clone(), target, line: BytesMut::new(), left: MAX_LOGGED })))
    }
}

impl Logging {
    fn write(&mut self, bytes: &[u8]) {
        match self.target {
            // A stderr that is closed is no reason to fail.
            GuestStderr::Inherit => drop(io::Write::write_all(&mut io::stderr(), bytes)),
            GuestStderr::Log => self.log(bytes),
        }
    }

    fn log(&mut self, bytes: &[u8]) {
        if self.left == 0 {
            return;
        }
        let kept = bytes.get(..self.left).unwrap_or(bytes);
        self.left -= kept.len();
        self.line.extend_from_slice(kept);
        while let Some(end) =
            self.line.iter().position(|byte| *byte == b'\n').or((self.line.len() >= MAX_LINE).then_some(MAX_LINE))
        {
            let line = self.line.split_to(end);
            self.emit(&line);
            if self.line.first() == Some(&b'\n') {
                self.line.advance(1);
            }
        }
        if self.left == 0 {
            self.emit(b"(the rest of this invocation's stderr is not logged)");
        }
    }

    fn emit(&self, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        tracing::info!(target: "nebula::guest", invocation_id = %self.id, "{line}");
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        if !self.line.is_empty() {
            self.emit(&self.line);
        }
    }
}

#[async_trait]
impl Pollable for Stderr {
    async fn ready(&mut self) {}
}

impl OutputStream for Stderr {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        lock(&self.0).write(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WINDOW)
    }
}

impl AsyncWrite for Stderr {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        lock(&self.0).write(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl IsTerminal for Stderr {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stderr {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}
