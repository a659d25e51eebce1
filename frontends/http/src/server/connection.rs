//! Serves one connection.

use std::{
    convert::Infallible,
    future::{Future as _, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
};

use axum::body::Body;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use http::{Request, Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    select,
    time::{Instant, sleep_until, timeout},
};

use super::{
    activity::{Activity, Wait},
    body::TrackedBody,
    compression,
    config::ServerConfig,
    socket::Socket,
    tls::{Tls, TlsStream},
    wire,
};
use crate::{app::App, context::ClientAddress, shutdown::Shutdown};

/// The size of a connection's buffers, for a request's head and for an answer that is not sent yet. It is a fifth of
/// hyper's default, because there may be many thousands of connections.
const BUFFER: usize = 64 * 1024;

/// Serves one connection until it ends, one of its time-outs has passed, or the server drains.
pub(super) async fn serve(
    stream: TcpStream,
    tls: Option<Arc<Tls>>,
    app: Arc<App>,
    config: Arc<ServerConfig>,
    shutdown: Shutdown,
) {
    // An answer is written whole, and would only be delayed. If this call fails, the first read fails too.
    let _ = stream.set_nodelay(true);
    let client = stream.peer_addr().ok().map(|address| ClientAddress(address.ip().to_canonical()));
    let activity = Arc::new(Activity::new());
    let socket = Socket::new(stream, Arc::clone(&activity));
    let connection = Connection { app, client, activity, config, shutdown };
    match tls {
        None => connection.serve(socket).await,
        Some(tls) => {
            if let Some(stream) = connection.shake_hands(&tls, socket).await {
                connection.serve(stream).await;
            }
        }
    }
}

/// A connection, without its bytes.
struct Connection {
    app: Arc<App>,
    client: Option<ClientAddress>,
    activity: Arc<Activity>,
    config: Arc<ServerConfig>,
    shutdown: Shutdown,
}

impl Connection {
    /// The stream with TLS. `None` if the handshake failed, took too long, or the server drains: no request has begun.
    async fn shake_hands(&self, tls: &Tls, socket: Socket) -> Option<TlsStream<Socket>> {
        let accepted = select! {
            accepted = timeout(self.config.header_timeout, tls.accept(socket)) => accepted,
            () = self.shutdown.draining() => return None,
        };
        match accepted {
            Ok(Ok(stream)) => return Some(stream),
            Ok(Err(error)) => tracing::debug!(%error, "connection ended: the TLS handshake failed"),
            Err(_) => tracing::debug!("connection ended: the TLS handshake took too long"),
        }
        None
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) {
        let Self { app, client, activity, config, shutdown } = self;
        let service = service_fn(|request| answer(app, request, *client, activity, config.compress));
        // Hyper's own time-out is the same for idle connections and for incomplete heads, and starts a timer for each
        // request.
        let serving = http1::Builder::new()
            .header_read_timeout(None)
            .max_buf_size(BUFFER)
            .serve_connection(TokioIo::new(stream), service);
        let mut serving = pin!(serving);
        let mut watching = pin!(watch(activity, config));
        // Polled only when it wakes the connection, and not with each request: all connections share its locks.
        let mut draining = FuturesUnordered::from_iter([shutdown.draining()]);
        select! {
            biased;
            _ = &mut serving => return,
            why = &mut watching => return tracing::debug!(why, "connection ended"),
            _ = draining.next() => serving.as_mut().graceful_shutdown(),
        }
        select! {
            biased;
            _ = serving => {}
            why = watching => tracing::debug!(why, "connection ended"),
        }
    }
}

/// Waits until a time-out of the connection has passed, and returns what the connection waited for.
async fn watch(activity: &Activity, config: &ServerConfig) -> &'static str {
    let mut timer = pin!(sleep_until(Instant::now()));
    // Polled with each poll of the connection, because the wait may have changed then.
    poll_fn(|context| {
        loop {
            let Wait { until, end } = activity.wait(config);
            // The timer is only set to an earlier time here. So the requests of a busy connection leave it alone.
            if until < timer.deadline() {
                timer.as_mut().reset(until);
            }
            if timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            match end {
                // The timer was set for an earlier wait.
                _ if timer.deadline() < until => timer.as_mut().reset(until),
                Some(why) => return Poll::Ready(why),
                None => activity.restart_check(),
            }
        }
    })
    .await
}

async fn answer(
    app: &App,
    request: Request<Incoming>,
    client: Option<ClientAddress>,
    activity: &Arc<Activity>,
    compress: bool,
) -> Result<Response<TrackedBody<Body>>, Infallible> {
    activity.serving();
    let mut request = request.map(|body| Body::new(TrackedBody::new(body, activity, Activity::leave_upload)));
    let takes_gzip = compress && compression::is_accepted(&request);
    let answer = match wire::refuse(&mut request) {
        None => app.answer_to(client, request).await,
        Some(refusal) => refusal,
    };
    let answer = if compress { compression::compress(answer, takes_gzip) } else { answer };
    Ok(answer.map(|body| TrackedBody::new(body, activity, Activity::answer)))
}
