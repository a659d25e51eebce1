//! How it goes with an instance that serves several requests at once, as those requests see it.

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, atomic::AtomicBool},
    time::{Duration, Instant},
};

use futures_util::task::AtomicWaker;
use tokio::sync::Notify;

use crate::{ErrorKind, InvokeError, abi::Held};

/// How it goes with one instance.
#[derive(Default)]
pub(super) struct Course {
    /// Wakes the task that runs it.
    pub(super) worker: AtomicWaker,
    /// Tells that a turn is over, or the instance.
    pub(super) turned: Notify,
    /// Whether its time was over before its requests were done.
    pub(super) late: AtomicBool,
    /// Set when it has ended, with what it failed the requests with that it still had.
    end: OnceLock<Option<(ErrorKind, String)>>,
    requests: Mutex<Requests>,
}

/// The requests of an instance, and what their readers leave undone.
#[derive(Default)]
struct Requests {
    /// How many it has begun and somebody still wants.
    wanted: usize,
    /// Whether it has nothing to do, and a place of its own for that time.
    is_idle: bool,
    /// Whether nothing of it is left.
    is_gone: bool,
    /// Kept for an instance at work that no request holds anything for: what the last one held.
    held: Option<Held>,
    /// How many of the readers have a part of a body and did not come back for the next one.
    behind: usize,
    /// Since when there are such readers.
    since: Option<Instant>,
    /// For how long there were, before that.
    paused: Duration,
}

/// A request's part in an instance that serves others as well: from when it waits for one until its response has been
/// read.
pub(super) struct Seat {
    link: Arc<Link>,
    /// What is kept for the request. The instance takes it over where it goes on after the last of its responses.
    held: Option<Held>,
    is_behind: bool,
}

/// How an instance and a request find each other.
#[derive(Default)]
pub(super) struct Link(Mutex<Found>);

#[derive(Default)]
struct Found {
    course: Option<Arc<Course>>,
    /// Nobody wants the response any more.
    is_left: bool,
}

impl Course {
    /// Gives the instance a turn, and waits until it has done all that it can in that.
    pub(super) async fn turn(&self) {
        let turned = self.turned.notified();
        if self.end.get().is_none() {
            self.worker.wake();
            turned.await;
        }
    }

    /// Notes that the instance has ended, and with which failure.
    pub(super) fn fail(&self, failure: Option<(ErrorKind, String)>) {
        // An instance ends once.
        let _ = self.end.set(failure);
        self.turned.notify_waiters();
    }

    /// Notes that nothing of the instance is left.
    pub(super) fn release(&self) {
        let mut requests = self.lock();
        requests.is_gone = true;
        let held = requests.held.take();
        drop((requests, held));
    }

    /// What the instance failed with, if it did.
    pub(super) fn failure(&self) -> Option<InvokeError> {
        let (kind, detail) = self.end.get()?.as_ref()?;
        Some(InvokeError::new(*kind, detail.clone()))
    }

    /// Waits for the instance's end.
    pub(super) async fn has_ended(&self) {
        loop {
            let turned = self.turned.notified();
            if self.end.get().is_some() {
                return;
            }
            turned.await;
        }
    }

    /// Notes whether the instance has nothing to do. One that is idle needs no place.
    pub(super) fn set_idle(&self, is_idle: bool) {
        let mut requests = self.lock();
        requests.is_idle = is_idle;
        let held = requests.held.take_if(|_| is_idle);
        drop((requests, held));
    }

    /// For how long its readers have kept it waiting so far, and whether they do so now.
    pub(super) fn paused(&self) -> (Duration, bool) {
        let requests = self.lock();
        let now = requests.since.map_or(Duration::ZERO, |since| since.elapsed());
        (requests.paused + now, requests.behind > 0)
    }

    fn enter(&self) {
        let mut requests = self.lock();
        requests.wanted += 1;
        requests.is_idle = false;
        let held = requests.held.take();
        drop((requests, held));
    }

    fn leave(&self, held: Option<Held>) {
        let mut requests = self.lock();
        requests.wanted -= 1;
        let goes_on = requests.wanted == 0 && !requests.is_idle && !requests.is_gone;
        let done = if goes_on { std::mem::replace(&mut requests.held, held) } else { held };
        drop((requests, done));
    }

    fn fall_behind(&self) {
        let mut requests = self.lock();
        requests.behind += 1;
        requests.since.get_or_insert_with(Instant::now);
    }

    fn catch_up(&self) {
        let mut requests = self.lock();
        requests.behind -= 1;
        if requests.behind == 0 {
            let now = requests.since.take().map_or(Duration::ZERO, |since| since.elapsed());
            requests.paused += now;
            drop(requests);
            // Its own time goes on.
            self.worker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Requests> {
        // Counts that no panic can come between.
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// A request that keeps `held`, before an instance takes it.
    pub(super) fn new(held: Held) -> Self {
        Self { link: Arc::default(), held: Some(held), is_behind: false }
    }

    /// What the instance is given to find the request.
    pub(super) fn link(&self) -> Arc<Link> {
        Arc::clone(&self.link)
    }

    /// The course of the instance that took the request.
    pub(super) fn course(&self) -> Option<Arc<Course>> {
        self.link.course()
    }

    /// What is kept for the request.
    pub(super) fn held(&self) -> Option<&Held> {
        self.held.as_ref()
    }

    /// Notes that the reader has a part of the body, and has to come back for the next one.
    pub(super) fn pause(&mut self) {
        if !self.is_behind
            && let Some(course) = self.course()
        {
            self.is_behind = true;
            course.fall_behind();
        }
    }

    /// Notes that the reader came back.
    pub(super) fn resume(&mut self) {
        if std::mem::take(&mut self.is_behind)
            && let Some(course) = self.course()
        {
            course.catch_up();
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.resume();
        if let Some(course) = self.link.leave() {
            course.leave(self.held.take());
        }
    }
}

impl Link {
    /// Notes that an instance takes the request.
    pub(super) fn enter(&self, course: &Arc<Course>) {
        let mut found = self.lock();
        if !found.is_left {
            found.course = Some(Arc::clone(course));
            course.enter();
        }
    }

    /// The course of the instance that took the request.
    pub(super) fn course(&self) -> Option<Arc<Course>> {
        self.lock().course.clone()
    }

    fn leave(&self) -> Option<Arc<Course>> {
        let mut found = self.lock();
        found.is_left = true;
        found.course.take()
    }

    fn lock(&self) -> MutexGuard<'_, Found> {
        // No panic can come between two writes.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
