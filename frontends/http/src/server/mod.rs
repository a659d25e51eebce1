//! The server: its connections, their time-outs, and its shutdown.

mod activity;
mod answer;
mod body;
mod compression;
mod config;
mod connection;
mod descriptors;
mod drive;
mod http1;
#[cfg_attr(not(feature = "http2"), path = "no_http2.rs")]
mod http2;
mod listen;
mod listener;
mod lists;
mod open;
mod proxy;
mod shared;
mod socket;
#[cfg_attr(not(feature = "tls"), path = "no_tls.rs")]
mod tls;
mod trailers;
mod transport;
mod unix_socket;
mod wire;

use std::{io, sync::Arc, time::Duration};

use tokio::{
    select,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{sleep, timeout},
};

#[cfg(feature = "tls")]
pub use self::tls::{Tls, TlsError};
pub use self::{
    config::ServerConfig,
    descriptors::raise_descriptor_limit,
    listen::{BindError, InvalidListenAddress, ListenAddress, bind},
    listener::{Listener, LocalAddress},
    open::OpenConnections,
};
use self::{listener::ListeningSocket, shared::Shared, transport::Transport};
use crate::{app::App, shutdown::Shutdown};

/// How a server stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Every running request was answered.
    Drained,
    /// This many connections were closed before their requests were answered: the grace period had passed, or the
    /// server was asked to quit.
    Cut(usize),
}

/// Serves `app` on `listener` until `shutdown` asks to drain. Then it stops listening, closes idle connections, and
/// lets running requests finish within [`ServerConfig::grace`].
///
/// - Each connection is one task, and its requests run in it. With HTTP/2, each request has a task of its own, which
///   ends with the connection. When a client disconnects, the future of its answer is dropped.
/// - A client can end nothing but its own connection. If a new connection cannot be accepted, for example for lack of
///   file descriptors, it waits.
/// - Dropping the future closes all connections.
pub async fn serve(
    listener: impl Into<Listener>,
    app: impl Into<App>,
    config: ServerConfig,
    shutdown: Shutdown,
) -> Stopped {
    let dropped_trailers = Arc::default();
    let shared = Arc::new(Shared { app: app.into(), limits: config, shutdown, dropped_trailers });
    let mut connections = JoinSet::new();
    accept_all(listener.into(), &mut connections, &shared).await;
    let finished = timeout(shared.limits.grace, async { while connections.join_next().await.is_some() {} });
    select! {
        _ = finished => {}
        () = shared.shutdown.quitting() => {}
    }
    // Tasks that have ended and were not joined yet do not count as cut.
    while connections.try_join_next().is_some() {}
    match connections.len() {
        0 => Stopped::Drained,
        cut => {
            connections.shutdown().await;
            Stopped::Cut(cut)
        }
    }
}

/// Accepts connections until the server drains, and then closes the listener.
async fn accept_all(listener: Listener, connections: &mut JoinSet<()>, shared: &Arc<Shared>) {
    let Listener { socket, tls, proxy_protocol, open } = listener;
    let room = shared.limits.max_connections.unwrap_or_else(descriptors::room_for_connections);
    let places = Arc::new(Semaphore::new(room.clamp(1, Semaphore::MAX_PERMITS)));
    loop {
        let (stream, place) = select! {
            biased;
            () = shared.shutdown.draining() => return,
            Some(_) = connections.join_next() => continue,
            Some(accepted) = accept(&socket, &places) => accepted,
        };
        let open = open.as_ref().map(OpenConnections::enter);
        let served = connection::serve(stream, tls.clone(), proxy_protocol.clone(), Arc::clone(shared));
        connections.spawn(async move {
            let _counted = (place, open);
            served.await;
        });
    }
}

/// Waits for a place and for the next connection. It returns `None` only if the semaphore is closed, which never
/// happens.
async fn accept(socket: &ListeningSocket, places: &Arc<Semaphore>) -> Option<(Transport, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    loop {
        match socket.accept().await {
            Ok(transport) => return Some((transport, place)),
            Err(error) => recover(&error).await,
        }
    }
}

/// Waits after a failure to accept. No such failure ends the listener.
async fn recover(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    // The client has disconnected while it waited.
    if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        return;
    }
    // There are no file descriptors or no memory left. The connection stays in the backlog.
    tracing::warn!(%error, "failed to accept a connection; trying again");
    sleep(Duration::from_millis(100)).await;
}
