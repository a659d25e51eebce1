//! Runs a guest's future under its deadline, and measures it.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::call::{ErrorKind, InvokeError, ReportHandle};

/// How long a guest may run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    /// The function's own timeout. Time for which the guest waits for its reader does not count.
    pub(crate) timeout: Duration,
    /// When the answer is of no use any more, however the time was spent.
    pub(crate) deadline: Option<Instant>,
}

impl Allowance {
    /// When a guest that `began` then is past its time, however it spent that; `None` for never.
    pub(crate) fn due(&self, began: Instant) -> Option<Instant> {
        self.end(began, Duration::ZERO)
    }

    /// The failure of a guest that `began` then and was not done in time.
    pub(crate) fn failure(&self, began: Instant) -> InvokeError {
        let left = self.deadline.map(|deadline| deadline - began);
        let timeout = humantime::format_duration(left.map_or(self.timeout, |left| left.min(self.timeout)));
        InvokeError::new(ErrorKind::Timeout, format!("the function did not end within {timeout} (timeout)"))
    }

    /// When it has to be done, if it waited for its reader for as long as `paused`.
    fn end(&self, began: Instant, paused: Duration) -> Option<Instant> {
        let own = self.timeout.checked_add(paused).and_then(|timeout| after(began, timeout));
        own.into_iter().chain(self.deadline).min()
    }
}

/// Tells whether a guest waits for the reader of what it writes beside its response.
#[derive(Debug, Clone, Default)]
pub(crate) struct Waits(Arc<AtomicBool>);

impl Waits {
    pub(crate) fn set(&self, waits: bool) {
        self.0.store(waits, Relaxed);
    }
}

/// Runs `guest`, which `began` just now, until it ends or has used up its allowance, and notes in the report how long
/// it held a thread.
///
/// Guests yield at each tick of the epoch clock, so the timer has its turn even beside one that spins. Dropping the
/// future stops the guest where it is.
pub(crate) fn supervise<F>(guest: F, began: Instant, allowance: Allowance, report: ReportHandle) -> Supervised<F> {
    let clock =
        Clock { report, began, whole: None, on_thread: Duration::ZERO, paused: Duration::ZERO, is_paused: false };
    Supervised { guest, deadline: Deadline { clock, allowance, timer: None }, waits: None }
}

pin_project! {
    /// A guest's future under its deadline. Written out because an `async fn` would hold the guest, which is large, twice.
    pub(crate) struct Supervised<F> {
        #[pin]
        guest: F,
        deadline: Deadline,
        waits: Option<Waits>,
    }
}

impl<F> Supervised<F> {
    /// The same, of a guest that may wait for another reader than that of its response.
    pub(crate) fn with_reader(self, waits: Option<Waits>) -> Self {
        Self { waits, ..self }
    }

    /// Notes that the guest waits for its reader. That goes on until the next poll, and does not count into its
    /// timeout.
    pub(crate) fn pause(&mut self) {
        self.deadline.clock.is_paused = true;
    }
}

impl<F: Future<Output = Result<T, InvokeError>>, T> Future for Supervised<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let polled = this.deadline.clock.measure(|| this.guest.poll(context));
        if polled.is_ready() {
            return polled;
        }
        if this.waits.as_ref().is_some_and(|waits| waits.0.load(Relaxed)) {
            this.deadline.clock.is_paused = true;
        }
        this.deadline.poll_passed(context).map(Err)
    }
}

struct Deadline {
    clock: Clock,
    allowance: Allowance,
    // Most guests never wait, so the timer is made for those that do.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    fn poll_passed(&mut self, context: &mut Context<'_>) -> Poll<InvokeError> {
        let Some(end) = self.allowance.end(self.clock.began, self.clock.paused) else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(end)));
        ready!(timer.as_mut().poll(context));
        // It was set before the guest waited for its reader: that moves the end, and not the timer, which would cost
        // more.
        while timer.deadline() < end {
            timer.as_mut().reset(end);
            ready!(timer.as_mut().poll(context));
        }
        Poll::Ready(self.allowance.failure(self.clock.began))
    }
}

/// The time `duration` after `start`; `None` where that is too far away for a clock.
fn after(start: Instant, duration: Duration) -> Option<Instant> {
    /// Timers round up.
    const MARGIN: Duration = Duration::from_secs(1);

    start.checked_add(duration).filter(|end| end.checked_add(MARGIN).is_some())
}

/// Notes in the report what it measured, also when the guest is stopped.
struct Clock {
    report: ReportHandle,
    began: Instant,
    /// From when it all began to the last poll's end, once there was one.
    whole: Option<Duration>,
    on_thread: Duration,
    /// How much of that the guest waited for its reader.
    paused: Duration,
    /// Whether it has waited for its reader since the last poll's end.
    is_paused: bool,
}

impl Clock {
    fn measure<T>(&mut self, poll: impl FnOnce() -> T) -> T {
        // The first poll follows at once, and most guests need no second: that saves them a look at the clock.
        let before = self.whole.map_or(Duration::ZERO, |last| {
            let now = self.began.elapsed();
            if std::mem::take(&mut self.is_paused) {
                self.paused += now - last;
            }
            now
        });
        let polled = poll();
        let now = self.began.elapsed();
        self.whole = Some(now);
        self.on_thread += now - before;
        polled
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.report.update(|report| {
            report.cpu = self.on_thread;
            let whole = self.whole.unwrap_or_default();
            report.running = whole.saturating_sub(self.paused).saturating_sub(report.instantiating);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn};

    use tokio::time::{advance, timeout};

    use super::*;
    use crate::{
        call::{Event, Invocation},
        function::FunctionName,
    };

    const SECOND: Duration = Duration::from_secs(1);

    fn report() -> ReportHandle {
        Invocation::new("f".parse::<FunctionName>().unwrap(), Event::default()).report
    }

    /// A guest that waits for its reader for `reader`, and then for itself; and when it was ended, if that is within an
    /// hour.
    async fn end_after(reader: Duration, allowed: Duration, deadline: Option<Duration>) -> Option<Duration> {
        let (began, report) = (Instant::now(), report());
        let allowance = Allowance { timeout: allowed, deadline: deadline.map(|deadline| began + deadline) };
        let mut guest = supervise(pending::<Result<(), InvokeError>>(), began, allowance, report.clone());
        assert!(futures_util::poll!(&mut guest).is_pending());
        guest.pause();
        advance(reader).await;
        let ended = timeout(Duration::from_hours(1), &mut guest).await.ok()?;
        assert_eq!(ended.unwrap_err().kind(), ErrorKind::Timeout);
        drop(guest);
        // What the report calls running is without the time of the reader, to the timer's millisecond.
        assert!(report.snapshot().running.abs_diff(began.elapsed() - reader) < SECOND / 100);
        Some(Duration::from_secs(began.elapsed().as_secs_f64().round() as u64))
    }

    #[tokio::test(start_paused = true)]
    async fn time_spent_waiting_for_the_reader_moves_the_timeout_and_not_the_deadline() {
        let cases = [
            (0, 2, None, Some(2)),
            (100, 2, None, Some(102)),
            (100, 2, Some(300), Some(102)),
            (100, 2, Some(101), Some(101)),
            (100, 2, Some(50), Some(100)),
            (0, u64::MAX, Some(7), Some(7)),
            (100, u64::MAX, None, None),
        ];
        for (reader, allowed, deadline, ended) in cases {
            let of = Duration::from_secs;
            let seen = end_after(of(reader), of(allowed), deadline.map(of)).await;
            assert_eq!(seen, ended.map(of), "{reader} {allowed} {deadline:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn time_spent_waiting_for_the_reader_of_another_stream_does_not_count() {
        let (began, waits) = (Instant::now(), Waits::default());
        let allowance = Allowance { timeout: 2 * SECOND, deadline: None };
        let guest = supervise(pending::<Result<(), InvokeError>>(), began, allowance, report());
        let mut guest = guest.with_reader(Some(waits.clone()));
        waits.set(true);
        assert!(timeout(100 * SECOND, &mut guest).await.is_err());
        waits.set(false);
        assert_eq!(guest.await.unwrap_err().kind(), ErrorKind::Timeout);
        assert!(began.elapsed() > 100 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn no_timeout_is_too_long_for_a_clock() {
        for allowed in
            [Duration::MAX, Duration::MAX - SECOND, Duration::from_secs(i64::MAX as u64 - 1), SECOND * u32::MAX]
        {
            let allowance = Allowance { timeout: allowed, deadline: None };
            let mut turns = 0;
            let twice = poll_fn(|context| {
                turns += 1;
                context.waker().wake_by_ref();
                if turns > 2 { Poll::Ready(Ok(turns)) } else { Poll::Pending }
            });
            assert_eq!(supervise(twice, Instant::now(), allowance, report()).await.unwrap(), 3, "{allowed:?}");
        }
    }
}
