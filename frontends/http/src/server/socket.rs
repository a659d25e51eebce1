//! The socket of a connection, which reports what the client does.

use std::{
    io::{self, IoSlice},
    mem::MaybeUninit,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, BytesMut};
use futures_util::FutureExt as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, Interest, ReadBuf};

use super::{activity::Activity, transport::Transport};

/// Up to this many bytes, the head and the body of an answer are copied into one buffer: a vectored write takes longer
/// than the copy.
const SMALL: usize = 1024;

/// A socket that reports to [`Activity`] when bytes arrive and when the client does not read.
pub(super) struct Socket {
    stream: Transport,
    /// Bytes that were read to find out what the client speaks. They are read again.
    early: BytesMut,
    activity: Arc<Activity>,
    blocked: bool,
    shut: bool,
}

impl Socket {
    pub(super) fn new(stream: Transport, activity: Arc<Activity>) -> Self {
        Self { stream, early: BytesMut::new(), activity, blocked: false, shut: false }
    }

    /// The bytes that have been read and not been used.
    pub(super) fn early(&self) -> &[u8] {
        &self.early
    }

    /// Takes the first early bytes out.
    pub(super) fn skip_early(&mut self, length: usize) {
        self.early.advance(length.min(self.early.len()));
    }

    /// Reads more early bytes, and returns how many. 0 means that the client has closed its end.
    pub(super) async fn read_early(&mut self) -> io::Result<usize> {
        self.early.reserve(SMALL);
        let read = self.stream.read_buf(&mut self.early).await;
        self.activity.received();
        read
    }

    fn report_write<T>(&mut self, written: &Poll<T>) {
        if written.is_pending() == self.blocked {
            return;
        }
        self.blocked = !self.blocked;
        if self.blocked { self.activity.blocked() } else { self.activity.unblocked() }
    }

    /// Whether the client has closed its end, even if there are unread bytes before that.
    fn is_closed_by_client(&self) -> bool {
        let ready = self.stream.ready(Interest::READABLE).now_or_never();
        ready.is_some_and(|ready| ready.is_ok_and(|ready| ready.is_read_closed()))
    }

    /// Reads and drops the bytes of the client until it closes its end. A socket that is closed with unread bytes is
    /// reset, and the client could lose an answer that it has not read yet, such as the reason why its upload was
    /// refused.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut scratch = [MaybeUninit::uninit(); 4096];
        loop {
            let mut buffer = ReadBuf::uninit(&mut scratch);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.early.is_empty() {
            let length = self.early.len().min(buffer.remaining());
            buffer.put_slice(&self.early.split_to(length));
            // What has come since belongs to the same read, as if nothing had been read early.
            return match Pin::new(&mut self.stream).poll_read(context, buffer) {
                Poll::Pending => Poll::Ready(Ok(())),
                read => read,
            };
        }
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() {
            self.activity.received();
        }
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.report_write(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length: usize = slices.iter().map(|slice| slice.len()).sum();
        let written = if length <= SMALL {
            let mut small = [MaybeUninit::uninit(); SMALL];
            let mut whole = ReadBuf::uninit(&mut small);
            slices.iter().for_each(|slice| whole.put_slice(slice));
            Pin::new(&mut self.stream).poll_write(context, whole.filled())
        } else {
            Pin::new(&mut self.stream).poll_write_vectored(context, slices)
        };
        self.report_write(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Hyper calls this with each of its polls. While a request runs and nothing reads its body, hyper does not read.
    /// So a client that has disconnected is noticed here.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Most clients send nothing while they wait, and that is faster to check than whether they have disconnected.
        let mut is_quiet = || self.stream.poll_read_ready(context).is_pending();
        if self.activity.is_serving_unread() && !is_quiet() && self.is_closed_by_client() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        // A socket has nothing to flush.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.shut {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
            self.shut = true;
            self.activity.closing();
        }
        if self.activity.upload_is_left() { self.poll_linger(context) } else { Poll::Ready(Ok(())) }
    }
}
