//! Tells an exchange that stands still from one that is slow.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// When something was last sent or received.
#[derive(Debug)]
pub(crate) struct Progress(Mutex<Instant>);

impl Default for Progress {
    fn default() -> Self {
        Self(Mutex::new(Instant::now()))
    }
}

impl Progress {
    /// Notes that something is sent or received now.
    pub(crate) fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Runs `exchange`. Returns `None` as soon as nothing has been sent or received for as long as `patience`.
    pub(crate) async fn unless_stalled<T>(&self, patience: Duration, exchange: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = exchange => Some(done),
            () = self.stalled(patience) => None,
        }
    }

    async fn stalled(&self, patience: Duration) {
        loop {
            let end = self.last() + patience;
            if Instant::now() >= end {
                return;
            }
            sleep_until(end).await;
        }
    }

    fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_an_exchange_that_stands_still_is_given_up() {
        let (patience, progress) = (Duration::from_secs(60), Progress::default());
        let slow = async {
            for _ in 0..10 {
                sleep(patience / 2).await;
                progress.note();
            }
            "sent"
        };
        assert_eq!(progress.unless_stalled(patience, slow).await, Some("sent"));
        assert_eq!(progress.unless_stalled(patience, sleep(patience * 2)).await, None);
    }
}
