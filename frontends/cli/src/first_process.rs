//! Signals to the first process of a container.
//!
//! The kernel delivers to the first process of a container only the signals that the process handles. Every other
//! process ends at SIGTERM without a handler.

use std::{future::pending, io, process, time::Duration};

use nebula_http::may_take_hangup;
use nebula_runtime::stderr;
use tokio::{
    select,
    signal::unix::{Signal, SignalKind, signal},
    task::JoinHandle,
    time::timeout,
};

/// How long the process waits for its log to be written before it ends.
const PATIENCE: Duration = Duration::from_secs(2);

/// Ends the first process of a container at the signals that end any other process, with the exit code that a shell
/// shows for those. In any other process it does nothing.
#[derive(Debug)]
pub(crate) struct EndsAtSignals(Option<JoinHandle<()>>);

impl EndsAtSignals {
    /// Handles the signals until the value is dropped.
    ///
    /// # Errors
    /// If the process cannot handle signals.
    pub(crate) fn start() -> io::Result<Self> {
        if process::id() != 1 {
            return Ok(Self(None));
        }
        let signals = Signals::new()?;
        Ok(Self(Some(tokio::spawn(end_at(signals)))))
    }
}

impl Drop for EndsAtSignals {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

async fn end_at(mut signals: Signals) {
    let number = signals.next().await;
    // The stderr of guests is written from a queue. Stdout has no queue.
    drop(timeout(PATIENCE, stderr::written()).await);
    process::exit(128 + number);
}

struct Signals {
    /// `None` if SIGHUP is ignored, as `nohup` does.
    hangup: Option<Signal>,
    interrupt: Signal,
    quit: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            hangup: may_take_hangup().then(|| signal(SignalKind::hangup())).transpose()?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next signal, and returns its number.
    async fn next(&mut self) -> i32 {
        let hung_up = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => pending().await,
            }
        };
        let kind = select! {
            _ = hung_up => SignalKind::hangup(),
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.quit.recv() => SignalKind::quit(),
            _ = self.terminate.recv() => SignalKind::terminate(),
        };
        kind.as_raw_value()
    }
}
