//! A spinner for slow work.

use std::{future::Future, pin::pin, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use nebula_runtime::Progress;
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
    let spinner = Spinner::start(what.to_owned());
    loop {
        spinner.0.set_message(format!("{what}: {} of {}", progress.done(), progress.total()));
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
