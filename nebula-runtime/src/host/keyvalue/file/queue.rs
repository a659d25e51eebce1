//! The queue of changes.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use super::job::Job;
use crate::sync::lock;

/// The queue of changes, and a count of the callers that wait for one.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<(u64, Box<dyn Job>)>,
    next: u64,
    callers: usize,
    has_thread: bool,
    is_closed: bool,
}

/// What the thread does next.
pub(super) enum Next {
    Job(Box<dyn Job>),
    /// No job came in the time.
    Quiet,
    /// No job will come any more.
    Closed,
}

impl Queue {
    /// Adds a job. When the value that is returned is dropped, its caller no longer waits. If the job is still in the queue
    /// then, it is taken out: a file that is locked for long must not make the queue long.
    pub(super) fn enter(self: &Arc<Self>, job: Box<dyn Job>) -> Entered {
        let mut state = lock(&self.state);
        let id = state.next;
        state.next += 1;
        state.callers += 1;
        state.jobs.push_back((id, job));
        self.changed.notify_one();
        Entered { queue: Arc::clone(self), id }
    }

    /// Whether a caller waits.
    pub(super) fn has_callers(&self) -> bool {
        lock(&self.state).callers > 0
    }

    /// The next job. Waits for it at most so long.
    pub(super) fn next(&self, at_most: Option<Duration>) -> Next {
        let is_idle = |state: &mut State| state.jobs.is_empty() && !state.is_closed;
        let state = lock(&self.state);
        let waited = self.changed.wait_timeout_while(state, at_most.unwrap_or(Duration::MAX), is_idle);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match state.jobs.pop_front() {
            Some((_, job)) => Next::Job(job),
            None if state.is_closed => Next::Closed,
            None => Next::Quiet,
        }
    }

    /// Takes more jobs, at most so many, without waiting.
    pub(super) fn take(&self, most: usize) -> Vec<Box<dyn Job>> {
        let mut state = lock(&self.state);
        let count = state.jobs.len().min(most);
        state.jobs.drain(..count).map(|(_, job)| job).collect()
    }

    /// Ends the thread after the jobs that are in the queue.
    pub(super) fn close(&self) {
        lock(&self.state).is_closed = true;
        self.changed.notify_one();
    }

    /// Whether a thread is to be started. It must call [`Queue::end_thread`].
    pub(super) fn begin_thread(&self) -> bool {
        !mem::replace(&mut lock(&self.state).has_thread, true)
    }

    /// Notes that there is no thread any more. The callers that wait get an error.
    pub(super) fn end_thread(&self) {
        let mut state = lock(&self.state);
        state.has_thread = false;
        let jobs = mem::take(&mut state.jobs);
        drop(state);
        drop(jobs);
    }
}

/// A job that a caller waits for.
pub(super) struct Entered {
    queue: Arc<Queue>,
    id: u64,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut state = lock(&self.queue.state);
        state.callers -= 1;
        let at = state.jobs.iter().position(|(id, _)| *id == self.id);
        let job = at.and_then(|at| state.jobs.remove(at));
        drop(state);
        drop(job);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::keyvalue::file::job::job;

    #[test]
    fn a_caller_that_goes_takes_its_job_along() {
        let queue = Arc::new(Queue::default());
        let enter = || queue.enter(job(|_| Ok(Ok(()))).0);
        let (first, second) = (enter(), enter());
        drop(first);
        assert!(queue.has_callers());
        assert_eq!(queue.take(9).len(), 1);
        drop(second);
        assert!(!queue.has_callers());
        assert_eq!(queue.take(9).len(), 0);
    }
}
