//! A pool of idle items that wait to be used again, and the reaper that ends those that have waited for too long.

use std::collections::VecDeque;

use tokio::time::Instant;

use crate::sync::{Arc, Mutex, MutexGuard, Weak, lock};

/// Items that wait to be used again, each until its own time is over. The item that came last is taken first, so that
/// items which are not needed expire.
///
/// - While an item waits, there is a [`Reaper`], unless it was dropped. Then the next call of [`IdlePool::keep`] makes
///   a new one.
/// - There is at most one reaper at a time.
pub(super) struct IdlePool<T>(Mutex<State<T>>);

struct State<T> {
    /// In the order in which their times end.
    items: VecDeque<(Instant, T)>,
    has_reaper: bool,
}

/// Takes the items whose time is over out of the pool.
///
/// It is active until no item waits any more, or until it is dropped: the task that has it may end with its Tokio
/// runtime.
#[must_use]
pub(super) struct Reaper<T> {
    pool: Weak<IdlePool<T>>,
    is_active: bool,
}

impl<T> IdlePool<T> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State { items: VecDeque::new(), has_reaper: false }))
    }

    /// Takes the item that came last. `None` if there is none or its time is over.
    pub(super) fn take(&self, now: Instant) -> Option<T> {
        let last = self.state().items.pop_back();
        last.filter(|(until, _)| now < *until).map(|(_, item)| item)
    }

    /// Keeps an item until its time is over. If there is no reaper, the caller gets one.
    pub(super) fn keep(self: &Arc<Self>, item: T, until: Instant) -> Option<Reaper<T>> {
        let mut state = self.state();
        state.items.push_back((until, item));
        let needs_reaper = !std::mem::replace(&mut state.has_reaper, true);
        needs_reaper.then(|| Reaper { pool: Arc::downgrade(self), is_active: true })
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        lock(&self.0)
    }
}

impl<T> Reaper<T> {
    /// Takes the items whose time is over, and returns them with the time at which the next item's time is over. If no
    /// item is left, or the pool was dropped, that is `None`, and the reaper is not active any more.
    pub(super) fn take_expired(&mut self, now: Instant) -> (Vec<T>, Option<Instant>) {
        let Some(pool) = self.pool.upgrade() else {
            return (Vec::new(), None);
        };
        let mut state = pool.state();
        let over = state.items.partition_point(|(until, _)| *until <= now);
        let over = state.items.drain(..over).map(|(_, item)| item).collect();
        let next = state.items.front().map(|(until, _)| *until);
        // Set under the lock, so that the next `keep` makes a new reaper.
        state.has_reaper = next.is_some();
        self.is_active = next.is_some();
        (over, next)
    }
}

impl<T> Drop for Reaper<T> {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade().filter(|_| self.is_active) {
            pool.state().has_reaper = false;
        }
    }
}
