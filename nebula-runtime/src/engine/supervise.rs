//! Runs a guest's future under its deadline, and measures it.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::{ErrorKind, InvokeError, ReportHandle};

/// Runs `guest` until it ends or `timeout` has passed, and notes in the report how long it held a thread.
///
/// Guests yield at each tick of the epoch clock, so the timer has its turn even beside one that spins. Dropping the
/// future stops the guest where it is.
pub(crate) async fn supervise<T>(
    guest: impl Future<Output = Result<T, InvokeError>>,
    timeout: Duration,
    report: ReportHandle,
) -> Result<T, InvokeError> {
    let mut guest = pin!(guest);
    let mut clock = Clock { report, began: Instant::now(), on_thread: Duration::ZERO };
    let mut timer: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|context| {
        let polled_at = if timer.is_none() { clock.began } else { Instant::now() };
        let polled = guest.as_mut().poll(context);
        clock.on_thread += polled_at.elapsed();
        if polled.is_ready() {
            return polled;
        }
        // Most guests never wait, so the timer is made for those that do.
        let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(clock.began + timeout)));
        timer.as_mut().poll(context).map(|()| Err(timed_out(timeout)))
    })
    .await
}

fn timed_out(timeout: Duration) -> InvokeError {
    let timeout = humantime::format_duration(timeout);
    InvokeError::new(ErrorKind::Timeout, format!("the function did not end within {timeout} (timeout)"))
}

/// Notes in the report what it measured, also when the guest is stopped.
struct Clock {
    report: ReportHandle,
    began: Instant,
    on_thread: Duration,
}

impl Drop for Clock {
    fn drop(&mut self) {
        let total = self.began.elapsed();
        self.report.update(|report| {
            report.cpu = self.on_thread;
            report.running = total.saturating_sub(report.instantiating);
        });
    }
}
