//! Serves one connection: finds out what its client speaks, and speaks that.

use std::{io, sync::Arc};

use tokio::{select, time::timeout};

use super::{
    activity::Activity,
    answer::Service,
    drive::watch,
    http1, http2,
    proxy::ProxyProtocol,
    shared::Shared,
    socket::Socket,
    tls::{Tls, TlsStream},
    transport::Transport,
};

/// Serves one connection until it ends, one of its time-outs has passed, or the server drains.
pub(super) async fn serve(
    transport: Transport,
    tls: Option<Arc<Tls>>,
    proxy_protocol: Option<Arc<ProxyProtocol>>,
    shared: Arc<Shared>,
) {
    let (mut peer, activity) = (transport.peer(), Arc::new(Activity::new()));
    let mut socket = Socket::new(transport.without_delay(), Arc::clone(&activity));
    if let (Some(proxy), Some(protocol)) = (peer, proxy_protocol) {
        peer = before_head(protocol.client(proxy, &mut socket), &activity, &shared).await;
        if peer.is_none() {
            return;
        }
    }
    let service = Service { shared, peer, activity, is_secure: tls.is_some() };
    match tls {
        None => match before_head(http2::begins(&mut socket), &service.activity, &service.shared).await {
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

/// What `read` finds in the bytes before a request. `None` if that fails, the client sends nothing, or the server drains:
/// no request has begun.
async fn before_head<T>(read: impl Future<Output = io::Result<T>>, activity: &Activity, shared: &Shared) -> Option<T> {
    let Shared { limits, shutdown, .. } = shared;
    select! {
        biased;
        found = read => found.ok(),
        why = watch(activity, limits) => {
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
