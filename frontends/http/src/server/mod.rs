//! The server: its connections, their time-outs, and its shutdown.

mod activity;
mod body;
mod compression;
mod config;
mod connection;
mod descriptors;
mod listen;
mod listener;
mod socket;
#[cfg_attr(not(feature = "tls"), path = "no_tls.rs")]
mod tls;
mod wire;

use std::{io, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
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
    listener::Listener,
};
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
/// - Each connection is one task, and its requests run in it. When a client disconnects, the future of its answer is
///   dropped.
/// - A client can end nothing but its own connection. If a new connection cannot be accepted, for example for lack of
///   file descriptors, it waits.
/// - Dropping the future closes all connections.
pub async fn serve(
    listener: impl Into<Listener>,
    app: impl Into<App>,
    config: ServerConfig,
    shutdown: Shutdown,
) -> Stopped {
    let grace = config.grace;
    let mut connections = JoinSet::new();
    accept_all(listener.into(), &mut connections, app.into(), config, &shutdown).await;
    let finished = timeout(grace, async { while connections.join_next().await.is_some() {} });
    select! {
        _ = finished => {}
        () = shutdown.quitting() => {}
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
async fn accept_all(
    Listener { socket, tls }: Listener,
    connections: &mut JoinSet<()>,
    app: App,
    config: ServerConfig,
    shutdown: &Shutdown,
) {
    let room =
        config.max_connections.unwrap_or_else(descriptors::room_for_connections).clamp(1, Semaphore::MAX_PERMITS);
    let places = Arc::new(Semaphore::new(room));
    let (app, config) = (Arc::new(app), Arc::new(config));
    loop {
        let (stream, place) = select! {
            biased;
            () = shutdown.draining() => return,
            Some(_) = connections.join_next() => continue,
            Some(accepted) = accept(&socket, &places) => accepted,
        };
        let served = connection::serve(stream, tls.clone(), Arc::clone(&app), Arc::clone(&config), shutdown.clone());
        connections.spawn(async move {
            let _place = place;
            served.await;
        });
    }
}

/// Waits for a place and for the next connection. It returns `None` only if the semaphore is closed, which never
/// happens.
async fn accept(socket: &TcpListener, places: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    loop {
        match socket.accept().await {
            Ok((stream, _)) => return Some((stream, place)),
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
