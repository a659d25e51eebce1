//! What waits to be used again, for a while, and the watch over it.

use std::collections::VecDeque;

use tokio::time::Instant;

use crate::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Things that wait to be used again, each until its own time. The last one is taken first, so that those there are too many
/// of stay until their time is over.
///
/// - While anything waits, somebody has the [`Watch`] over it, or had it and dropped it: then the next thing that is kept
///   brings a new one.
/// - There is one watch at a time.
pub(super) struct Waiting<T>(Mutex<State<T>>);

struct State<T> {
    /// In the order of their times.
    things: VecDeque<(Instant, T)>,
    watched: bool,
}

/// The duty to end what has waited for long enough.
///
/// It is over when nothing waits any more, or when this is dropped: a task that has it may end with its Tokio runtime.
#[must_use]
pub(super) struct Watch<T> {
    over: Weak<Waiting<T>>,
    on_duty: bool,
}

impl<T> Waiting<T> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State { things: VecDeque::new(), watched: false }))
    }

    /// The last thing that came, if its time is not over.
    pub(super) fn take(&self, now: Instant) -> Option<T> {
        let last = self.state().things.pop_back();
        last.filter(|(until, _)| now < *until).map(|(_, thing)| thing)
    }

    /// Keeps a thing until its time is over, and gives the watch to the caller if nobody has it.
    pub(super) fn keep(self: &Arc<Self>, thing: T, until: Instant) -> Option<Watch<T>> {
        let mut state = self.state();
        state.things.push_back((until, thing));
        let unwatched = !std::mem::replace(&mut state.watched, true);
        unwatched.then(|| Watch { over: Arc::downgrade(self), on_duty: true })
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        // No panic can come between two writes.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Watch<T> {
    /// The things whose time is over, and the time of the next one. Without a next one, or where all is gone that was
    /// watched over, the watch has ended.
    pub(super) fn look(&mut self, now: Instant) -> (Vec<T>, Option<Instant>) {
        let Some(waiting) = self.over.upgrade() else {
            return (Vec::new(), None);
        };
        let mut state = waiting.state();
        let over = state.things.partition_point(|(until, _)| *until <= now);
        let over = state.things.drain(..over).map(|(_, thing)| thing).collect();
        let next = state.things.front().map(|(until, _)| *until);
        // Under the lock: what is kept from here on brings a watch of its own.
        state.watched = next.is_some();
        self.on_duty = next.is_some();
        (over, next)
    }
}

impl<T> Drop for Watch<T> {
    fn drop(&mut self) {
        if let Some(waiting) = self.over.upgrade().filter(|_| self.on_duty) {
            waiting.state().watched = false;
        }
    }
}
