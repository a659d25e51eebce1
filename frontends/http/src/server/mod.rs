//! The server around a router: its connections, their time-outs, and how it stops.

mod activity;
mod body;
mod config;
mod connection;
mod descriptors;
mod listen;
mod socket;
mod wire;

use std::{io, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    select,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{sleep, timeout},
};

pub use self::{
    config::ServerConfig,
    descriptors::raise_descriptor_limit,
    listen::{BindError, InvalidListenAddress, ListenAddress, bind},
};
use crate::{app::App, shutdown::Shutdown};

/// How a server stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Every request that went on was answered.
    Drained,
    /// This many connections were cut: the grace period had passed, or quitting was asked for.
    Cut(usize),
}

/// Serves `app` on `listener` until `shutdown` asks to drain: then it stops listening, ends idle connections, and lets
/// requests that go on finish within [`ServerConfig::grace`].
///
/// - Each connection is one task, and its requests are served in it: when a client leaves, what answers it is dropped.
/// - Nothing that a client does ends anything but its own connection. Where a new one cannot be accepted, for lack of
///   descriptors say, it waits.
/// - Dropping the future cuts all connections.
pub async fn serve(listener: TcpListener, app: impl Into<App>, config: ServerConfig, shutdown: Shutdown) -> Stopped {
    let grace = config.grace;
    let mut connections = JoinSet::new();
    accept_all(listener, &mut connections, app.into(), config, &shutdown).await;
    let finished = timeout(grace, async { while connections.join_next().await.is_some() {} });
    select! {
        _ = finished => {}
        () = shutdown.quitting() => {}
    }
    // Tasks that have ended and were not joined yet are not cut.
    while connections.try_join_next().is_some() {}
    match connections.len() {
        0 => Stopped::Drained,
        cut => {
            connections.shutdown().await;
            Stopped::Cut(cut)
        }
    }
}

/// Accepts connections until draining is asked for, and closes the listener.
async fn accept_all(
    listener: TcpListener,
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
            Some(accepted) = accept(&listener, &places) => accepted,
        };
        let served = connection::serve(stream, Arc::clone(&app), Arc::clone(&config), shutdown.clone());
        connections.spawn(async move {
            let _place = place;
            served.await;
        });
    }
}

/// The next connection, once there is a place for it; `None` never, while the semaphore is open.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return Some((stream, place)),
            Err(error) => recover(&error).await,
        }
    }
}

/// Waits until accepting again makes sense. No failure of it is the listener's end.
async fn recover(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    // The client left while it waited.
    if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        return;
    }
    // Descriptors or memory ran out: the connection stays in the backlog until some are free.
    tracing::warn!(%error, "failed to accept a connection; trying again");
    sleep(Duration::from_millis(100)).await;
}
