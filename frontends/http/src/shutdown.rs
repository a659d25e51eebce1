//! When a server stops, in two steps.

use std::io;

use tokio::{select, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// Tells a server to stop: first to drain, then to quit.
///
/// - Cheap to clone; clones are the same.
/// - Neither step is ever taken back, and quitting is draining too.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    draining: CancellationToken,
    quitting: CancellationToken,
}

impl Shutdown {
    /// One that nobody has asked for yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks to take no new connections, and to finish what goes on.
    pub fn drain(&self) {
        self.draining.cancel();
    }

    /// Asks to drop what goes on.
    pub fn quit(&self) {
        self.draining.cancel();
        self.quitting.cancel();
    }

    /// Whether it was asked to drain or to quit.
    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Ends when it is asked to drain or to quit.
    pub async fn draining(&self) {
        self.draining.cancelled().await;
    }

    /// Ends when it is asked to quit.
    pub async fn quitting(&self) {
        self.quitting.cancelled().await;
    }

    /// Drains at the process's first SIGINT or SIGTERM, and quits at the second.
    ///
    /// The signals stay taken until the returned task has seen two.
    ///
    /// # Errors
    /// Where the process cannot take signals.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub fn on_signals(&self) -> io::Result<JoinHandle<()>> {
        let mut signals = Signals::new()?;
        let shutdown = self.clone();
        Ok(tokio::spawn(async move {
            let signal = signals.next().await;
            tracing::info!(signal, "draining: a second signal quits at once");
            shutdown.drain();
            let signal = signals.next().await;
            tracing::warn!(signal, "quitting");
            shutdown.quit();
        }))
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> &'static str {
        select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> &'static str {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "Ctrl-C"
    }
}
