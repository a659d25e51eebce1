//! What waits to be sent.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use crate::{config::BatchConfig, counts::Counter};

/// What waits to be sent: a bounded number. Adding to it never waits. What finds no room is dropped and counted.
pub(crate) struct Queue<T> {
    waiting: Mutex<VecDeque<T>>,
    config: BatchConfig,
    is_batch: Notify,
    pub(crate) counter: Arc<Counter>,
}

impl<T> Queue<T> {
    pub(crate) fn new(config: BatchConfig) -> Self {
        Self { waiting: Mutex::default(), config, is_batch: Notify::new(), counter: Arc::default() }
    }

    /// Adds as many as there is room for.
    pub(crate) fn add(&self, items: impl IntoIterator<Item = T, IntoIter: ExactSizeIterator>) {
        let items = items.into_iter();
        let mut waiting = self.lock();
        let room = self.config.max_queue.saturating_sub(waiting.len());
        self.counter.dropped(items.len().saturating_sub(room) as u64);
        waiting.extend(items.take(room));
        if waiting.len() >= self.config.max_batch {
            self.is_batch.notify_one();
        }
    }

    /// Those that have waited longest, as many as are sent at once.
    pub(crate) fn batch(&self) -> Vec<T> {
        let mut waiting = self.lock();
        let count = waiting.len().min(self.config.max_batch);
        waiting.drain(..count).collect()
    }

    /// Waits until there are as many as are sent at once, or until the first of them has waited for its time.
    pub(crate) async fn wait(&self) {
        // That the time is over is no failure.
        drop(timeout_at(Instant::now() + self.config.delay, self.is_batch.notified()).await);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn what_finds_no_room_is_dropped_and_counted() {
        let config = BatchConfig { max_queue: 5, max_batch: 2, delay: Duration::from_hours(1) };
        let queue = Queue::new(config);
        queue.add([1, 2, 3]);
        queue.add([4, 5, 6, 7]);
        assert_eq!(queue.counter.counted().dropped, 2);
        queue.wait().await;
        assert_eq!(
            [queue.batch(), queue.batch(), queue.batch(), queue.batch()],
            [vec![1, 2], vec![3, 4], vec![5], vec![]]
        );
        queue.add([8]);
        assert_eq!(queue.batch(), [8]);
    }
}
