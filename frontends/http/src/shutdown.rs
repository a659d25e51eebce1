//! When a server stops, in two steps.

use std::{future::pending, io};

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
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

    /// Drains at the process's first SIGINT or SIGTERM, and quits at the second. Drains at SIGHUP too: its terminal was
    /// closed. A process that was started with SIGHUP ignored, as `nohup` does, goes on ignoring it.
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
            let signal = signals.first().await;
            tracing::info!(signal, "draining: a second signal quits at once");
            shutdown.drain();
            let signal = signals.second().await;
            tracing::warn!(signal, "quitting");
            shutdown.quit();
        }))
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` where it is left as it is.
    hangup: Option<Signal>,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        let hangup = may_take_hangup().then(|| signal(SignalKind::hangup())).transpose()?;
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())?, hangup })
    }

    async fn first(&mut self) -> &'static str {
        let hangup = self.hangup.as_mut();
        let hung_up = async {
            match hangup {
                Some(hangup) => hangup.recv().await,
                None => pending().await,
            }
        };
        select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
            _ = hung_up => "SIGHUP",
        }
    }

    /// One that asks for more than the first. That is not a further SIGHUP: a terminal that is closed may send two.
    async fn second(&mut self) -> &'static str {
        select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

/// Whether SIGHUP would end the process now. Where the system does not tell, the signal is better left as it is.
#[cfg(unix)]
#[must_use]
pub fn may_take_hangup() -> bool {
    /// The bit of signal 1 in the masks of proc_pid_status(5).
    const HANGUP: u64 = 1;

    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & HANGUP == 0)
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn first(&mut self) -> &'static str {
        if tokio::signal::ctrl_c().await.is_err() {
            pending::<()>().await;
        }
        "Ctrl-C"
    }

    async fn second(&mut self) -> &'static str {
        self.first().await
    }
}
