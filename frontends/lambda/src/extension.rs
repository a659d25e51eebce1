//! An extension that does nothing: Lambda sends SIGTERM only to an environment that has one.
//!
//! `lambda_runtime` has such an extension too. It prints to stderr when the signal comes: that panics where stderr's
//! reader has gone, and waits for ever where its pipe is full. In both cases the process would not end.

use std::io;

use http::{HeaderName, Method};
use lambda_runtime::Error;
use lambda_runtime_api_client::{PooledClient, body::Body, build_request};
use nebula_http::Shutdown;
use tokio::{
    select,
    signal::unix::{Signal, SignalKind, signal},
};

use crate::flush::flush;

const NAME: HeaderName = HeaderName::from_static("lambda-extension-name");
const IDENTIFIER: HeaderName = HeaderName::from_static("lambda-extension-identifier");

/// Ends the process at SIGTERM, as soon as what it logged is written. Lambda sends one only where an extension is
/// registered; without, it ends the process as it likes. A container that the process is the first of ends it by a signal
/// too, whether there is an extension or not.
pub(crate) async fn register_shutdown(shutdown: Shutdown, client: PooledClient) {
    match signals() {
        Ok(signals) => drop(tokio::spawn(end_at_signal(shutdown, signals))),
        Err(error) => tracing::warn!(%error, "no signals can be taken: the environment will end without notice"),
    }
    match register(&client).await {
        // Asking for an event says that the extension has started. None ever comes.
        Ok(extension) => drop(tokio::spawn(async move { drop(client.call(extension).await) })),
        // An emulator may know no extensions.
        Err(error) => {
            tracing::warn!(error, "no extension could be registered: the environment will end without notice");
        }
    }
}

/// Registers an extension. Returns the request for its first event.
async fn register(client: &PooledClient) -> Result<http::Request<Body>, Error> {
    let request = build_request()
        .method(Method::POST)
        .uri("/2020-01-01/extension/register")
        // Each extension of a function has a name of its own.
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

async fn end_at_signal(shutdown: Shutdown, [mut terminate, mut interrupt]: [Signal; 2]) {
    let signal = select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    };
    tracing::info!(signal, "the environment ends");
    shutdown.drain();
    flush().await;
    std::process::exit(0);
}
