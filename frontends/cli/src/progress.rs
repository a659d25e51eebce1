//! A spinner for slow work.

use std::{
    fmt,
    future::Future,
    pin::{Pin, pin},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use nebula_runtime::{ByteSize, Progress};
use tokio::time::timeout;

/// Shorter work shows no spinner.
const PATIENCE: Duration = Duration::from_millis(300);
/// How often the spinner moves.
const TICK: Duration = Duration::from_millis(100);

/// Runs `work`. If it takes long and stderr is a terminal, `what` is shown there with a spinner until the end.
pub(crate) async fn while_working<T>(what: String, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    if let Ok(done) = timeout(PATIENCE, &mut work).await {
        return done;
    }
    let _spinner = Spinner::start(what);
    work.await
}

/// As [`while_working`], with how much of the work is done.
pub(crate) async fn while_counting<T>(what: &str, progress: &Progress, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    if let Ok(done) = timeout(PATIENCE, &mut work).await {
        return done;
    }
    show(|| format!("{what}: {} of {}", progress.done(), progress.total()), work).await
}

/// As [`while_working`], with how many bytes have passed.
pub(crate) async fn while_transferring<T>(what: &str, transfer: &Transfer, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    if let Ok(done) = timeout(PATIENCE, &mut work).await {
        return done;
    }
    show(|| format!("{what}: {transfer}"), work).await
}

/// How many bytes have passed.
#[derive(Debug, Default)]
pub(crate) struct Transfer {
    done: AtomicU64,
    total: OnceLock<u64>,
}

impl Transfer {
    /// So many bytes will pass.
    pub(crate) fn expect(&self, bytes: u64) {
        let _ = self.total.set(bytes);
    }

    /// So many more bytes have passed.
    pub(crate) fn advance(&self, bytes: usize) {
        self.done.fetch_add(bytes as u64, Relaxed);
    }
}

impl fmt::Display for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = ByteSize(self.done.load(Relaxed));
        match self.total.get() {
            Some(total) => write!(f, "{done} of {}", ByteSize(*total)),
            None => write!(f, "{done}"),
        }
    }
}

/// Shows a spinner until the end of `work`, with a message that changes.
async fn show<T>(message: impl Fn() -> String, mut work: Pin<&mut impl Future<Output = T>>) -> T {
    let spinner = Spinner::start(message());
    loop {
        spinner.0.set_message(message());
        if let Ok(done) = timeout(TICK, &mut work).await {
            return done;
        }
    }
}

/// A spinner on stderr, until it is dropped. It is shown on a terminal only.
struct Spinner(ProgressBar);

impl Spinner {
    fn start(what: String) -> Self {
        let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})");
        let bar = ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.set_message(what);
        bar.enable_steady_tick(TICK);
        Self(bar)
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
