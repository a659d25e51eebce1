//! Serves one connection: finds out what its client speaks, and speaks that.

use std::{io, sync::Arc};

use tokio::{net::TcpStream, select, time::timeout};

use super::{
    activity::Activity,
    answer::Service,
    drive::watch,
    http1, http2,
    shared::Shared,
    socket::Socket,
    tls::{Tls, TlsStream},
};
use crate::context::ClientAddress;

/// Serves one connection until it ends, one of its time-outs has passed, or the server drains.
pub(super) async fn serve(stream: TcpStream, tls: Option<Arc<Tls>>, shared: Arc<Shared>) {
    // An answer is written whole, and would only be delayed. If this call fails, the first read fails too.
    let _ = stream.set_nodelay(true);
    let client = stream.peer_addr().ok().map(|address| ClientAddress(address.ip().to_canonical()));
    let activity = Arc::new(Activity::new());
    let mut socket = Socket::new(stream, Arc::clone(&activity));
    let service = Service { shared, client, activity, is_secure: tls.is_some() };
    match tls {
        None => match first_bytes(&mut socket, &service).await {
            Some(true) => http2::serve(socket, service).await,
            Some(false) => http1::serve(socket, service).await,
            None => {}
        },
        Some(tls) => match shake_hands(&tls, socket, &service.shared).await {
            Some((stream, true)) => http2::serve(stream, service).await,
            Some((stream, false)) => http1::serve(stream, service).await,
            None => {}
        },
    }
}

/// Whether the client begins with HTTP/2. `None` if it sends nothing, or the server drains: no request has begun.
async fn first_bytes(socket: &mut Socket, service: &Service) -> Option<bool> {
    let Shared { limits, shutdown, .. } = &*service.shared;
    select! {
        biased;
        begins = http2::begins(socket) => begins.ok(),
        why = watch(&service.activity, limits) => {
            tracing::debug!(why, "connection ended");
            None
        }
        () = shutdown.draining() => None,
    }
}

/// The stream with TLS, and whether the client chose HTTP/2. `None` if the handshake failed, took too long, or the
/// server drains: no request has begun.
async fn shake_hands(tls: &Tls, socket: Socket, shared: &Shared) -> Option<(TlsStream<Socket>, bool)> {
    let accepted = select! {
        accepted = timeout(shared.limits.header_timeout, tls.accept(socket)) => accepted,
        () = shared.shutdown.draining() => return None,
    };
    match accepted.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(accepted) => Some(accepted),
        Err(error) => {
            tracing::debug!(%error, "connection ended: the TLS handshake failed");
            None
        }
    }
}
