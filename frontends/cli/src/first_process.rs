//! The signals of a container's first process.
//!
//! The kernel gives the first process of a container only those signals that it handles. Every other process ends at SIGTERM by
//! itself.

use std::{future::pending, io, process, time::Duration};

use nebula_http::may_take_hangup;
use nebula_runtime::stderr;
use tokio::{
    select,
    signal::unix::{Signal, SignalKind, signal},
    task::JoinHandle,
    time::timeout,
};

/// How long the end of the process waits for its log to be written.
const PATIENCE: Duration = Duration::from_secs(2);

/// Ends a container's first process at the signals that end every other process, with the exit code that a shell gives those.
/// In every other process it does nothing.
#[derive(Debug)]
pub(crate) struct EndsAtSignals(Option<JoinHandle<()>>);

impl EndsAtSignals {
    /// Ends the process at signals until this is dropped.
    ///
    /// # Errors
    /// Where the process cannot take signals.
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
    // What guests wrote to stderr. What is written to stdout waits nowhere.
    drop(timeout(PATIENCE, stderr::written()).await);
    process::exit(128 + number);
}

struct Signals {
    /// `None` where it is ignored, as by `nohup`.
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

    /// The number of the next one.
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
