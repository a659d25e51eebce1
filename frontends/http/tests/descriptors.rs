//! A process without free file descriptors. This test has a process of its own, whose limit it changes.

#![expect(clippy::unwrap_used, reason = "a test that fails by panicking is a test that works")]

#[allow(dead_code, reason = "this test needs a part of it")]
#[path = "http/support.rs"]
mod support;

use std::fs::File;

use nebula_http::ServerConfig;
use rlimit::Resource;
use support::{Client, Server, ok, patient};
use tokio::net::TcpSocket;

/// Lowers the limit, and opens files until no descriptor is left.
fn exhaust() -> Vec<File> {
    Resource::NOFILE.set(64, Resource::NOFILE.get_hard().unwrap()).unwrap();
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

#[tokio::test]
async fn without_descriptors_new_connections_wait_and_others_are_served() {
    let server = Server::start(ok(), ServerConfig { max_connections: Some(1_000), ..patient() }).await;
    let mut served = server.connect().await;
    served.get("/api/f").await;
    served.read_until("\r\n\r\nok").await;
    let waiting = TcpSocket::new_v4().unwrap();
    let taken = exhaust();

    let mut waiting = Client(waiting.connect(server.address).await.unwrap());
    waiting.get("/api/f").await;
    served.get("/api/f").await;
    served.read_until("\r\n\r\nok").await;

    drop(taken);
    waiting.read_until("\r\n\r\nok").await;
    served.get("/api/f").await;
    served.read_until("\r\n\r\nok").await;
}
