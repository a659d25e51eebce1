//! Limits how often something happens.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use tokio::time::Instant;

use crate::function::Rate;

/// Limits how often something happens: at most as often as its [`Rate`] says. What did not happen in one period may
/// happen at once after it, up to the number of one period.
///
/// The algorithm is GCRA (ITU-T I.371): one number says when the next event is due if events come evenly.
#[derive(Debug)]
pub struct RateLimit {
    /// Nanoseconds between two events that come evenly.
    interval: u64,
    /// How many nanoseconds an event may come before it is due.
    tolerance: u64,
    began: Instant,
    /// When the next event is due, in nanoseconds since `began`.
    due: AtomicU64,
}

impl RateLimit {
    /// A limit for events of which none has happened yet.
    pub fn new(rate: Rate) -> Self {
        let (interval, period) = (nanoseconds(rate.interval()).max(1), nanoseconds(rate.period()));
        Self { interval, tolerance: period.saturating_sub(interval), began: Instant::now(), due: AtomicU64::new(0) }
    }

    /// Counts an event.
    ///
    /// # Errors
    /// The event is one too many, and does not count. The error is the time after which the next one may happen.
    pub fn take(&self) -> Result<(), Duration> {
        let now = nanoseconds(self.began.elapsed());
        let early = |due: u64| due.max(now) - now;
        let taken = self
            .due
            .fetch_update(Relaxed, Relaxed, |due| (early(due) <= self.tolerance).then(|| due.max(now) + self.interval));
        taken.map(drop).map_err(|due| Duration::from_nanos(early(due) - self.tolerance))
    }
}

/// Enough for five centuries.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    /// How many events may happen now.
    fn room(limit: &RateLimit) -> usize {
        std::iter::repeat_with(|| limit.take()).take_while(Result::is_ok).count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_period_has_room_for_its_number_of_events_however_they_come() {
        for (rate, number, period) in [("5/s", 5, 1), ("600/min", 600, 60), ("1/h", 1, 3_600)] {
            let limit = RateLimit::new(rate.parse().unwrap());
            assert_eq!(room(&limit), number, "{rate}: at once");
            sleep(Duration::from_secs(period)).await;
            assert_eq!(room(&limit), number, "{rate}: one period later");
            sleep(Duration::from_secs(period * 10)).await;
            assert_eq!(room(&limit), number, "{rate}: no more than one period is saved up");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_that_is_one_too_many_may_happen_after_the_time_in_the_error() {
        let limit = RateLimit::new("4/s".parse().unwrap());
        assert_eq!(room(&limit), 4);
        assert_eq!(limit.take(), Err(Duration::from_millis(250)));
        sleep(Duration::from_millis(100)).await;
        assert_eq!(limit.take(), Err(Duration::from_millis(150)));
        sleep(Duration::from_millis(150)).await;
        assert_eq!([limit.take(), limit.take()], [Ok(()), Err(Duration::from_millis(250))]);
    }
}
