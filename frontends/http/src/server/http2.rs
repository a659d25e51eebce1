//! Serves one connection with HTTP/2 (RFC 9113). Each of its requests has a stream.
//!
//! A stream is a task: the guest of one stream must not keep the bytes of the others back. The task ends with its
//! connection.

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError, Weak},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::{server::conn::http2, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::JoinSet,
    task_local,
    time::{Sleep, sleep},
};

use super::{answer::Service, body::AnswerBody, drive::drive, socket::Socket};

/// The protocols that a client with TLS can choose, the best one first.
pub(super) const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The bytes with which a client begins (section 3.4). No request of HTTP/1 begins with them.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How many requests of one connection are answered at once. Further ones are refused, and the client may send them
/// again. Section 6.5.2 recommends no less than 100.
const MAX_STREAMS: u32 = 100;

/// The size of a request's fields, as section 6.5.2 counts them. It is also that of a head of HTTP/1.
const MAX_FIELDS: u32 = 64 * 1024;

/// How many bytes of one request's body may wait for their guest. It is a quarter of hyper's default, and of what the
/// whole connection may send: so a guest that does not read holds up three others at most.
const STREAM_WINDOW: u32 = 256 * 1024;

/// How many bytes of all bodies of a connection may wait for their guests. Hyper's default.
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// How many streams the client may reset before they were accepted. A client that resets more of them is cut off, because it
/// makes work for nothing (CVE-2023-44487). The default of h2.
const MAX_RESET_STREAMS: usize = 20;

/// How many streams this server may reset for mistakes of the client. A client that makes more of them is cut off
/// (CVE-2025-8671). It is a tenth of hyper's default.
const MAX_MISTAKES: usize = 100;

/// An answer is passed on in pieces of this size, which is that of a frame. Hyper takes a piece when the client has
/// room for its first byte. So this many bytes of each answer wait for the client at most.
const PIECE: usize = 16 * 1024;

/// Whether the client has chosen HTTP/2 with its handshake.
#[cfg(feature = "tls")]
pub(super) fn is_chosen(protocol: Option<&[u8]>) -> bool {
    protocol == PROTOCOLS.first().copied()
}

/// Whether a client without TLS begins with HTTP/2 (section 3.3). Its first bytes stay in the socket.
pub(super) async fn begins(socket: &mut Socket) -> io::Result<bool> {
    loop {
        let early = socket.early();
        if early.starts_with(PREFACE) {
            return Ok(true);
        }
        if !PREFACE.starts_with(early) || socket.read_early().await? == 0 {
            return Ok(false);
        }
    }
}

/// Serves one connection until it ends.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(stream: S, service: Service) {
    service.activity.multiplex();
    // Dropped with the connection, which ends the streams.
    let streams = Arc::<Mutex<JoinSet<()>>>::default();
    let executor = Executor { streams: Arc::downgrade(&streams), stall: service.shared.limits.write_stall };
    let service = Arc::new(service);
    let answer = service_fn(|request| {
        let (service, answering) = (Arc::clone(&service), service.activity.serving());
        async move { service.answer(request, answering).await.map(|answer| answer.map(InPieces::new)) }
    });
    let serving = http2::Builder::new(executor)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_FIELDS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_pending_accept_reset_streams(MAX_RESET_STREAMS)
        .max_local_error_reset_streams(MAX_MISTAKES)
        .serve_connection(TokioIo::new(stream), answer);
    drive(serving, |serving| serving.graceful_shutdown(), &service.activity, &service.shared).await;
}

/// Starts a task for each stream.
///
/// Hyper keeps it in each stream. So it does not own the tasks: they would never be dropped.
#[derive(Clone)]
struct Executor {
    streams: Weak<Mutex<JoinSet<()>>>,
    stall: Duration,
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Executor {
    fn execute(&self, stream: F) {
        let Some(streams) = self.streams.upgrade() else { return };
        let mut streams = streams.lock().unwrap_or_else(PoisonError::into_inner);
        while streams.try_join_next().is_some() {}
        streams.spawn(READER.scope(Reader::default(), while_read(stream, self.stall)));
    }
}

task_local! {
    /// The reader of the stream's answer.
    static READER: Reader;
}

/// What the client has read of an answer, as far as its stream knows.
#[derive(Default)]
struct Reader {
    /// How many pieces of the answer were passed on.
    pieces: Cell<u64>,
    /// Whether the client has no room yet for the last one.
    is_behind: Cell<bool>,
}

impl Reader {
    /// The piece for which the client has no room.
    fn unread(&self) -> Option<u64> {
        self.is_behind.get().then_some(self.pieces.get())
    }
}

/// Runs a stream until it ends, or its client reads nothing for `stall`. A stream that is dropped is reset.
async fn while_read(stream: impl Future<Output = ()>, stall: Duration) {
    let mut stream = pin!(stream);
    let mut timer: Option<(u64, Pin<Box<Sleep>>)> = None;
    poll_fn(|context| {
        if stream.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        let Some(piece) = READER.with(Reader::unread) else {
            timer = None;
            return Poll::Pending;
        };
        let (_, timer) = match timer.take().filter(|(waiting, _)| *waiting == piece) {
            Some(running) => timer.insert(running),
            None => timer.insert((piece, Box::pin(sleep(stall)))),
        };
        timer.as_mut().poll(context).map(|()| tracing::debug!("stream ended: the client does not read"))
    })
    .await;
}

/// The body of an answer, in pieces. It tells the [`Reader`] when hyper has passed a piece on: hyper then asks for the
/// next one.
struct InPieces {
    body: AnswerBody,
    /// What is left of the last frame.
    rest: Bytes,
}

impl InPieces {
    fn new(body: AnswerBody) -> Self {
        Self { body, rest: Bytes::new() }
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                end => return Poll::Ready(end),
            }
        }
        let piece = self.rest.split_to(self.rest.len().min(PIECE));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

impl Body for InPieces {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = self.poll_piece(context);
        // Without a reader nothing is limited. Hyper polls each body in the task of its stream, which has one.
        let _ = READER.try_with(|reader| {
            let is_piece = matches!(polled, Poll::Ready(Some(Ok(_))));
            reader.is_behind.set(is_piece);
            reader.pieces.set(reader.pieces.get() + u64::from(is_piece));
        });
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (left, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(left.lower() + rest);
        left.upper().into_iter().for_each(|upper| hint.set_upper(upper + rest));
        hint
    }
}
