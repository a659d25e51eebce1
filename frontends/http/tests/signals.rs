//! Signals. This test has a process of its own, which handles the signals.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that fails by panicking is a test that works")]

use std::process::Command;

use nebula_http::Shutdown;

fn signal(name: &str) {
    let id = std::process::id().to_string();
    assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
}

#[tokio::test]
async fn the_first_signal_drains_and_the_second_quits() {
    let shutdown = Shutdown::new();
    let signals = shutdown.on_signals().unwrap();
    signal("-TERM");
    shutdown.draining().await;
    assert!(!signals.is_finished());
    signal("-INT");
    shutdown.quitting().await;
    signals.await.unwrap();
}
