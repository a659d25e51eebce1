//! A guest's stderr. It goes to the log, or to the stderr of this process.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
};

use async_trait::async_trait;
use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::AsyncWrite;
use wasmtime_wasi::{
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamResult},
};

use super::stdout::WINDOW;
use crate::{
    call::{Caller, InvocationId, StderrLines},
    engine::WaitFlag,
    host::process::stderr,
    sync::lock,
};

/// How many bytes of a guest's stderr are logged for one invocation.
const MAX_LOGGED: usize = 64 << 10;

/// A line of more bytes is logged in pieces.
const MAX_LINE: usize = 4 << 10;

/// Where a guest's stderr goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GuestStderr {
    /// To the log, line by line, with the invocation's id.
    #[default]
    Log,
    /// To the stderr of this process, unchanged: see [`stderr`](crate::stderr). A guest waits until there is room.
    Inherit,
}

/// A guest's stderr. Clones share one buffer.
#[derive(Clone)]
pub(crate) struct Stderr {
    target: GuestStderr,
    logging: Arc<Mutex<Logging>>,
    /// Whether the guest has been told that there is room, and has not written since. It may write once, even if other
    /// guests have used up the room.
    has_permit: bool,
    /// Whether the guest waits for room. `None` if stderr goes to the log, because guests do not wait for the log.
    waits: Option<WaitFlag>,
}

struct Logging {
    id: InvocationId,
    /// The beginning of the line that the guest is writing.
    line: BytesMut,
    /// How many more bytes are logged for this invocation.
    left: usize,
    copy: Option<StderrLines>,
}

impl Stderr {
    pub(crate) fn new(caller: &Caller, target: GuestStderr) -> Self {
        let waits = (target == GuestStderr::Inherit).then(WaitFlag::default);
        Self { target, logging: Arc::new(Mutex::new(Logging::new(caller))), has_permit: false, waits }
    }

    /// A flag that says whether the guest waits for the reader of its stderr.
    pub(crate) fn waits(&self) -> Option<WaitFlag> {
        self.waits.clone()
    }

    /// Logs the line that is being written, because the invocation has ended.
    pub(crate) fn end_line(&self) {
        lock(&self.logging).end_line();
    }

    /// Begins to log for another invocation.
    pub(crate) fn pass_to(&self, caller: &Caller) {
        *lock(&self.logging) = Logging::new(caller);
    }

    fn poll_permit(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(waits) = self.waits.as_ref().filter(|_| !self.has_permit) {
            let room = stderr::poll_room(context);
            waits.set(room.is_pending());
            ready!(room);
        }
        self.has_permit = true;
        Poll::Ready(())
    }

    fn write_now(&mut self, bytes: &[u8]) {
        self.has_permit = false;
        match self.target {
            GuestStderr::Inherit => stderr::output(bytes),
            GuestStderr::Log => lock(&self.logging).log(bytes),
        }
    }
}

impl Logging {
    fn new(caller: &Caller) -> Self {
        let Caller { id, stderr, .. } = caller;
        Self { id: id.clone(), line: BytesMut::new(), left: MAX_LOGGED, copy: stderr.clone() }
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

    fn end_line(&mut self) {
        let line = self.line.split();
        if !line.is_empty() {
            self.emit(&line);
        }
    }

    fn emit(&self, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        tracing::info!(target: "nebula::guest", invocation_id = %self.id, "{line}");
        if let Some(copy) = &self.copy {
            copy.push(&line);
        }
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        self.end_line();
    }
}

#[async_trait]
impl Pollable for Stderr {
    async fn ready(&mut self) {
        poll_fn(|context| self.poll_permit(context)).await;
    }
}

impl OutputStream for Stderr {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.write_now(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        let may_write = self.target == GuestStderr::Log || self.has_permit || stderr::has_room();
        Ok(if may_write { WINDOW } else { 0 })
    }
}

impl AsyncWrite for Stderr {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_permit(context));
        let bytes = bytes.get(..WINDOW).unwrap_or(bytes);
        self.write_now(bytes);
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
