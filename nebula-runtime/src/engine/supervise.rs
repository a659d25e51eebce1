//! Runs a guest's future until it ends or its time is over, and measures its time.

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

use futures_util::future::BoxFuture;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{fault::Fault, symbols::Symbols, turns};
use crate::call::{ErrorKind, InvokeError, ReportHandle};

/// How long a guest may run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimeLimit {
    /// The function's own timeout. The time in which the guest waits for its reader does not count.
    pub(crate) timeout: Duration,
    /// The invocation's own deadline. All time counts.
    pub(crate) deadline: Option<Instant>,
}

impl TimeLimit {
    /// When the time of a guest that began at `began` is over, if all time counts. `None` means never.
    pub(crate) fn due(&self, began: Instant) -> Option<Instant> {
        self.end(began, Duration::ZERO)
    }

    /// The error for a guest that began at `began` and did not end in time.
    pub(crate) fn failure(&self, began: Instant) -> InvokeError {
        let left = self.deadline.map(|deadline| deadline - began);
        let timeout = humantime::format_duration(left.map_or(self.timeout, |left| left.min(self.timeout)));
        InvokeError::new(ErrorKind::Timeout, format!("the function did not end within {timeout} (timeout)"))
    }

    /// When the guest must have ended, if it has waited for its reader for the duration `paused`.
    fn end(&self, began: Instant, paused: Duration) -> Option<Instant> {
        let own = self.timeout.checked_add(paused).and_then(|timeout| after(began, timeout));
        own.into_iter().chain(self.deadline).min()
    }
}

/// A flag that says whether a guest waits for the reader of its stderr.
#[derive(Debug, Clone, Default)]
pub(crate) struct WaitFlag(Arc<AtomicBool>);

impl WaitFlag {
    pub(crate) fn set(&self, waits: bool) {
        self.0.store(waits, Relaxed);
    }
}

/// Runs `guest`, which began at `began`, until it ends or its time is over. The report then says how long the guest
/// held a thread.
///
/// A guest yields at each tick of the epoch clock, so the timer fires even while the guest spins. Dropping the future
/// stops the guest.
pub(crate) fn supervise<F>(guest: F, began: Instant, time_limit: TimeLimit, report: ReportHandle) -> Supervised<F> {
    let stopwatch =
        Stopwatch { report, began, elapsed: None, on_thread: Duration::ZERO, paused: Duration::ZERO, is_paused: false };
    let deadline = DeadlineTimer { stopwatch, time_limit, timer: None };
    Supervised { guest, deadline, waits: None, symbols: None, explaining: None }
}

pin_project! {
    /// A guest's future with its time limit. It is not an `async fn`, because that would hold the guest, which is
    /// large, twice.
    pub(crate) struct Supervised<F> {
        #[pin]
        guest: F,
        deadline: DeadlineTimer,
        waits: Option<WaitFlag>,
        symbols: Option<Arc<Symbols>>,
        // The guest has failed, and its stack gets names and lines. No time limit counts any more: a function that
        // traps just before its end must not become one that takes too long.
        explaining: Option<BoxFuture<'static, InvokeError>>,
    }
}

impl<F> Supervised<F> {
    /// Also stops counting time while `waits` says that the guest waits for the reader of its stderr.
    pub(crate) fn with_reader(self, waits: Option<WaitFlag>) -> Self {
        Self { waits, ..self }
    }

    /// If the guest fails, `symbols` give lines to its stack before the future is ready.
    pub(crate) fn explained_by(self, symbols: &Arc<Symbols>) -> Self {
        Self { symbols: Some(Arc::clone(symbols)), ..self }
    }

    /// Notes that the guest waits for its reader until the next poll. That time does not count into its timeout.
    pub(crate) fn pause(&mut self) {
        self.deadline.stopwatch.is_paused = true;
    }
}

impl<F: Future<Output = Result<T, E>>, T, E: Into<Fault>> Future for Supervised<F> {
    type Output = Result<T, InvokeError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Some(explaining) = this.explaining {
            return explaining.as_mut().poll(context).map(Err);
        }
        let polled = this.deadline.stopwatch.measure(|| this.guest.poll(context));
        turns::end_current();
        match polled {
            Poll::Ready(Ok(value)) => return Poll::Ready(Ok(value)),
            Poll::Ready(Err(error)) => {
                let (fault, report): (Fault, _) = (error.into(), &this.deadline.stopwatch.report);
                let Some(symbols) = this.symbols.take() else { return Poll::Ready(Err(fault.named(report))) };
                let explained = fault.explained(symbols, report.clone());
                return this.explaining.insert(explained).as_mut().poll(context).map(Err);
            }
            Poll::Pending => {}
        }
        if this.waits.as_ref().is_some_and(|waits| waits.0.load(Relaxed)) {
            this.deadline.stopwatch.is_paused = true;
        }
        this.deadline.poll_passed(context).map(Err)
    }
}

/// Says when the time of a guest is over.
struct DeadlineTimer {
    stopwatch: Stopwatch,
    time_limit: TimeLimit,
    // Made at the first wait, because most guests never wait.
    timer: Option<Pin<Box<Sleep>>>,
}

impl DeadlineTimer {
    /// Waits until the time of the guest is over.
    fn poll_passed(&mut self, context: &mut Context<'_>) -> Poll<InvokeError> {
        let Some(end) = self.time_limit.end(self.stopwatch.began, self.stopwatch.paused) else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(end)));
        ready!(timer.as_mut().poll(context));
        // Waiting for a reader moves the end. The timer is moved only here, because moving it at each wait would cost
        // more.
        while timer.deadline() < end {
            timer.as_mut().reset(end);
            ready!(timer.as_mut().poll(context));
        }
        Poll::Ready(self.time_limit.failure(self.stopwatch.began))
    }
}

/// The time `duration` after `start`, or `None` if a timer cannot express it.
fn after(start: Instant, duration: Duration) -> Option<Instant> {
    /// A timer rounds its end up.
    const MARGIN: Duration = Duration::from_secs(1);

    start.checked_add(duration).filter(|end| end.checked_add(MARGIN).is_some())
}

/// Measures a guest's time. It writes the result into the report when it is dropped, so that a guest that is stopped
/// has one, too.
struct Stopwatch {
    report: ReportHandle,
    began: Instant,
    /// The time from the guest's beginning to the end of the last poll. `None` before the first poll has ended.
    elapsed: Option<Duration>,
    /// The time in which the guest held a thread.
    on_thread: Duration,
    /// The time in which the guest waited for its reader.
    paused: Duration,
    /// Whether the guest has waited for its reader since the last poll ended.
    is_paused: bool,
}

impl Stopwatch {
    fn measure<T>(&mut self, poll: impl FnOnce() -> T) -> T {
        // The first poll follows the beginning at once. So a guest that ends in its first poll, as most do, costs only
        // one reading of the system's clock.
        let before = self.elapsed.map_or(Duration::ZERO, |last| {
            let now = self.began.elapsed();
            if std::mem::take(&mut self.is_paused) {
                self.paused += now - last;
            }
            now
        });
        let polled = poll();
        let now = self.began.elapsed();
        self.elapsed = Some(now);
        self.on_thread += now - before;
        polled
    }
}

impl Drop for Stopwatch {
    fn drop(&mut self) {
        self.report.update(|report| {
            report.cpu = self.on_thread;
            let elapsed = self.elapsed.unwrap_or_default();
            report.running = elapsed.saturating_sub(self.paused).saturating_sub(report.instantiating);
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

    /// When a guest was ended that waits for its reader for the duration `reader` and then never ends by itself. `None`
    /// if it was not ended within an hour.
    async fn end_after(reader: Duration, allowed: Duration, deadline: Option<Duration>) -> Option<Duration> {
        let (began, report) = (Instant::now(), report());
        let time_limit = TimeLimit { timeout: allowed, deadline: deadline.map(|deadline| began + deadline) };
        let mut guest = supervise(pending::<Result<(), InvokeError>>(), began, time_limit, report.clone());
        assert!(futures_util::poll!(&mut guest).is_pending());
        guest.pause();
        advance(reader).await;
        let ended = timeout(Duration::from_hours(1), &mut guest).await.ok()?;
        assert_eq!(ended.unwrap_err().kind(), ErrorKind::Timeout);
        drop(guest);
        // The report's `running` leaves out the reader's time. Timers are exact to a millisecond.
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
        let (began, waits) = (Instant::now(), WaitFlag::default());
        let time_limit = TimeLimit { timeout: 2 * SECOND, deadline: None };
        let guest = supervise(pending::<Result<(), InvokeError>>(), began, time_limit, report());
        let mut guest = guest.with_reader(Some(waits.clone()));
        waits.set(true);
        assert!(timeout(100 * SECOND, &mut guest).await.is_err());
        waits.set(false);
        assert_eq!(guest.await.unwrap_err().kind(), ErrorKind::Timeout);
        assert!(began.elapsed() > 100 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_guest_with_the_longest_timeout_runs_to_its_end() {
        for allowed in
            [Duration::MAX, Duration::MAX - SECOND, Duration::from_secs(i64::MAX as u64 - 1), SECOND * u32::MAX]
        {
            let time_limit = TimeLimit { timeout: allowed, deadline: None };
            let mut turns = 0;
            let twice = poll_fn(|context| {
                turns += 1;
                context.waker().wake_by_ref();
                if turns > 2 { Poll::Ready(Ok::<_, InvokeError>(turns)) } else { Poll::Pending }
            });
            assert_eq!(supervise(twice, Instant::now(), time_limit, report()).await.unwrap(), 3, "{allowed:?}");
        }
    }
}
