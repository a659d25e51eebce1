//! Runs a guest's future under its deadline, and measures it.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::{ErrorKind, InvokeError, ReportHandle};

/// Runs `guest` until it ends or `timeout` has passed since `began`, which is just now, and notes in the report how long it held a thread.
///
/// Guests yield at each tick of the epoch clock, so the timer has its turn even beside one that spins. Dropping the
/// future stops the guest where it is.
pub(crate) fn supervise<F>(guest: F, began: Instant, timeout: Duration, report: ReportHandle) -> Supervised<F> {
    let clock = Clock { report, began, whole: Duration::ZERO, on_thread: Duration::ZERO };
    Supervised { guest, clock, timeout, timer: None }
}

pin_project! {
    /// A guest's future under its deadline. Written out because an `async fn` would hold the guest, which is large, twice.
    pub(crate) struct Supervised<F> {
        #[pin]
        guest: F,
        clock: Clock,
        timeout: Duration,
        // Most guests never wait, so the timer is made for those that do.
        timer: Option<Pin<Box<Sleep>>>,
    }
}

impl<F: Future<Output = Result<T, InvokeError>>, T> Future for Supervised<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let polled = this.clock.measure(|| this.guest.poll(context));
        if polled.is_ready() {
            return polled;
        }
        let timeout = *this.timeout;
        let timer = this.timer.get_or_insert_with(|| Box::pin(sleep_until(this.clock.began + timeout)));
        timer.as_mut().poll(context).map(|()| Err(timed_out(timeout)))
    }
}

/// The failure of a guest that was not done within `timeout`.
pub(crate) fn timed_out(timeout: Duration) -> InvokeError {
    let timeout = humantime::format_duration(timeout);
    InvokeError::new(ErrorKind::Timeout, format!("the function did not end within {timeout} (timeout)"))
}

/// Notes in the report what it measured, also when the guest is stopped.
struct Clock {
    report: ReportHandle,
    began: Instant,
    /// From when it all began to the last poll's end.
    whole: Duration,
    on_thread: Duration,
}

impl Clock {
    fn measure<T>(&mut self, poll: impl FnOnce() -> T) -> T {
        // The first poll follows at once, and most guests need no second: that saves them a look at the clock.
        let before = if self.whole.is_zero() { Duration::ZERO } else { self.began.elapsed() };
        let polled = poll();
        self.whole = self.began.elapsed();
        self.on_thread += self.whole - before;
        polled
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.report.update(|report| {
            report.cpu = self.on_thread;
            report.running = self.whole.saturating_sub(report.instantiating);
        });
    }
}
