//! Stops a server, in two steps.

use std::{future::pending, io};

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::{select, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// Tells a server to stop: first to drain, then to quit.
///
/// - Cheap to clone; clones are the same.
/// - Neither step can be taken back. A server that quits is also draining.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    draining: CancellationToken,
    quitting: CancellationToken,
}

impl Shutdown {
    /// A shutdown that has not been requested yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the server to accept no new connections, and to finish the running requests.
    pub fn drain(&self) {
        self.draining.cancel();
    }

    /// Asks the server to drop the running requests.
    pub fn quit(&self) {
        self.draining.cancel();
        self.quitting.cancel();
    }

    /// Whether draining or quitting has been requested.
    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Waits until draining or quitting is requested.
    pub async fn draining(&self) {
        self.draining.cancelled().await;
    }

    /// Waits until quitting is requested.
    pub async fn quitting(&self) {
        self.quitting.cancelled().await;
    }

    /// Drains at the first SIGINT or SIGTERM to the process, and quits at the second. SIGHUP, which is sent when the
    /// terminal is closed, drains too. If the process was started with SIGHUP ignored, as by `nohup`, the signal stays
    /// ignored.
    ///
    /// The signals are handled until the returned task has received two.
    ///
    /// # Errors
    /// If the process cannot handle signals.
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
    /// `None` if SIGHUP is ignored.
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

    /// Waits for the second signal. A second SIGHUP does not count, because a terminal may send two when it is closed.
    async fn second(&mut self) -> &'static str {
        select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

/// Whether SIGHUP is not ignored. False if the system does not tell, so that the signal is left as it is.
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
