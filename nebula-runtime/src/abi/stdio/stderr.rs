//! Stderr, into the log.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use async_trait::async_trait;
use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::AsyncWrite;
use wasmtime_wasi::{
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamResult},
};

use super::{WINDOW, lock};
use crate::{InvocationId, abi::GuestStderr};

/// How much of a guest's stderr one invocation may put into the log.
const MAX_LOGGED: usize = 64 << 10;

/// A line of stderr longer than this is logged in pieces.
const MAX_LINE: usize = 4 << 10;

/// A guest's stderr. Clones share one buffer.
#[derive(Clone)]
pub(in crate::abi) struct Stderr(Arc<Mutex<Logging>>);

struct Logging {
    id: InvocationId,
    target: GuestStderr,
    line: BytesMut,
    left: usize,
}

impl Stderr {
    pub(in crate::abi) fn new(id: &InvocationId, target: GuestStderr) -> Self {
        Self(Arc::new(Mutex::new(Logging::new(id, target))))
    }

    /// Ends the line that is being written, as the invocation has ended.
    pub(in crate::abi) fn end_line(&self) {
        lock(&self.0).end_line();
    }

    /// What is written from now on is another invocation's.
    pub(in crate::abi) fn pass_to(&self, id: &InvocationId) {
        let mut logging = lock(&self.0);
        let target = logging.target;
        *logging = Logging::new(id, target);
    }
}

impl Logging {
    fn new(id: &InvocationId, target: GuestStderr) -> Self {
        Self { id: id.clone(), target, line: BytesMut::new(), left: MAX_LOGGED }
    }

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

    fn end_line(&mut self) {
        let line = self.line.split();
        if !line.is_empty() {
            self.emit(&line);
        }
    }

    fn emit(&self, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        tracing::info!(target: "nebula::guest", invocation_id = %self.id, "{line}");
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        self.end_line();
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
