//! An extension that does nothing: Lambda sends SIGTERM only to an environment with an extension.
//!
//! `lambda_runtime` has such an extension too, but it prints to stderr when the signal comes. That panics if the reader
//! of stderr has gone, and waits forever if the pipe is full. In both cases the process would not end.

use std::io;

use http::{HeaderName, Method};
use lambda_runtime::Error;
use lambda_runtime_api_client::{PooledClient, body::Body, build_request};
use nebula_http::Shutdown;
use tokio::{
    select,
    signal::unix::{Signal, SignalKind, signal},
};

use crate::flush::Flushing;

const NAME: HeaderName = HeaderName::from_static("lambda-extension-name");
const IDENTIFIER: HeaderName = HeaderName::from_static("lambda-extension-identifier");

/// Ends the process at SIGTERM, after its log is written. Lambda sends SIGTERM only if an extension is registered, and
/// otherwise kills the process without notice. A container also ends its first process by a signal, with or without an
/// extension.
pub(crate) async fn register_shutdown(shutdown: Shutdown, client: PooledClient, flushing: Flushing) {
    match signals() {
        Ok(signals) => drop(tokio::spawn(end_at_signal(shutdown, signals, flushing))),
        Err(error) => tracing::warn!(%error, "failed to handle signals: the environment will end without notice"),
    }
    match register(&client).await {
        // The request for an event tells Lambda that the extension has started. No event ever comes.
        Ok(extension) => drop(tokio::spawn(async move { drop(client.call(extension).await) })),
        // An emulator may not support extensions.
        Err(error) => {
            tracing::warn!(error, "failed to register an extension: the environment will end without notice");
        }
    }
}

/// Registers an extension. Returns the request for its first event.
async fn register(client: &PooledClient) -> Result<http::Request<Body>, Error> {
    let request = build_request()
        .method(Method::POST)
        .uri("/2020-01-01/extension/register")
        // Each extension of a function needs a name of its own.
        .header(NAME, "nebula-shutdown")
        .body(Body::from(r#"{"events":[]}"#.to_owned()))?;
    let registered = client.call(request).await?;
    if !registered.status().is_success() {
        return Err(format!("Lambda answered with {}", registered.status()).into());
    }
    let identifier = registered.headers().get(IDENTIFIER).ok_or("Lambda gave the extension no identifier")?;
    let next = build_request().uri("/2020-01-01/extension/event/next").header(IDENTIFIER, identifier);
    Ok(next.body(Body::empty())?)
}

fn signals() -> io::Result<[Signal; 2]> {
    Ok([signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?])
}

async fn end_at_signal(shutdown: Shutdown, [mut terminate, mut interrupt]: [Signal; 2], flushing: Flushing) {
    let signal = select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    };
    tracing::info!(signal, "the environment ends");
    shutdown.drain();
    flushing.flush().await;
    std::process::exit(0);
}
