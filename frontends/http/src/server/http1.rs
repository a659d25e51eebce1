//! Serves one connection with HTTP/1. Its requests run in the connection's own task, one after another.

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{answer::Service, drive::drive};

/// The size of a connection's buffers, for a request's head and for an answer that is not sent yet. It is a fifth of
/// hyper's default, because there may be many thousands of connections.
const BUFFER: usize = 64 * 1024;

/// Serves one connection until it ends.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(stream: S, service: Service) {
    let answer = service_fn(|request| service.answer(request, service.activity.serving()));
    // Hyper's own time-out is the same for idle connections and for incomplete heads, and starts a timer for each
    // request.
    let serving = http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), answer);
    drive(serving, |serving| serving.graceful_shutdown(), &service.activity, &service.shared).await;
}
