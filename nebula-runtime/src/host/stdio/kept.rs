//! The output of a guest that serves no caller. Its end is kept, for an error.

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

use super::stdout::WINDOW;
use crate::sync::lock;

/// How many bytes of the output are kept: an interpreter explains its failure in its last lines.
const KEPT: usize = 4 << 10;

/// The end of what a guest writes to stdout and stderr. Clones share one buffer.
#[derive(Clone, Default)]
pub(crate) struct KeptOutput(Arc<Mutex<BytesMut>>);

impl KeptOutput {
    /// The end of the output as text, without white space around it.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&lock(&self.0)).trim().to_owned()
    }

    fn keep(&self, bytes: &[u8]) {
        let mut kept = lock(&self.0);
        kept.extend_from_slice(bytes);
        let beyond = kept.len().saturating_sub(KEPT);
        kept.advance(beyond);
    }
}

#[async_trait]
impl Pollable for KeptOutput {
    async fn ready(&mut self) {}
}

impl OutputStream for KeptOutput {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.keep(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WINDOW)
    }
}

impl AsyncWrite for KeptOutput {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.keep(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl IsTerminal for KeptOutput {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for KeptOutput {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}
