//! The places of a gate, and who gets the next one.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{
        AtomicUsize,
        Ordering::{Relaxed, SeqCst},
        fence,
    },
};

use tokio::{
    sync::{Semaphore, oneshot},
    time::Instant,
};

use super::{
    occupancy::Occupancy,
    overdue::{Evictable, OverdueGuests},
    resolved::Deployed,
    rotation::Rotation,
};
use crate::function::{FunctionName, FunctionRef};

/// How many places a function may hold, as a multiple of those that are free. One function alone gets three quarters of
/// all places, two that are flooded get three sevenths each, and some are always free for the others: the dynamic
/// thresholds of Choudhury and Hahne (1998), which share the buffers of a switch.
const SHARE: u64 = 3;

pub(super) struct Places {
    free: Semaphore,
    total: usize,
    queue: Mutex<Rotation<Waiting>>,
    /// How many invocations wait.
    waiting: AtomicUsize,
    pub(super) overdue: OverdueGuests,
}

/// The places that an invocation needs, and its function.
#[derive(Clone)]
pub(crate) struct Request {
    pub(super) function: FunctionName,
    pub(super) count: u32,
    /// The version whose share of the places is limited. `None` where one function has all of them.
    pub(super) sharer: Option<Arc<dyn Deployed>>,
}

/// An invocation that waits for its places.
struct Waiting {
    request: Request,
    place: oneshot::Sender<Granted>,
}

/// Places that were given to an invocation which waits.
pub(super) struct Granted {
    /// Declared first, to be dropped first.
    _promise: Option<Promise>,
    pub(super) place: Place,
}

/// An invocation that has got its places and does not run yet. It counts into its function's share.
struct Promise(Arc<dyn Deployed>);

/// A place of a gate, or several that one invocation needs, until it is dropped.
pub(crate) struct Place {
    places: Arc<Places>,
    count: u32,
}

/// Until this is dropped, callers who wait for a place may end the guest that holds one.
pub(crate) struct Registration {
    places: Arc<Places>,
    due: Instant,
    guest: Arc<dyn Evictable>,
}

impl Request {
    /// A place of a gate that is the function's own.
    pub(crate) fn of_one(function: &FunctionRef) -> Self {
        Self { function: function.name().clone(), count: 1, sharer: None }
    }
}

impl Places {
    pub(super) fn new(count: u32) -> Self {
        let total = usize::try_from(count).unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS);
        let (free, queue, waiting) = (Semaphore::new(total), Mutex::default(), AtomicUsize::new(0));
        Self { free, total, queue, waiting, overdue: OverdueGuests::default() }
    }

    pub(super) fn occupancy(&self) -> Occupancy {
        let taken = self.total.saturating_sub(self.free.available_permits());
        Occupancy { taken: taken as u64, total: self.total as u64, waiting: self.waiting.load(Relaxed) as u64 }
    }

    /// Whether so many places are free.
    pub(super) fn are_free(&self, count: u32) -> bool {
        usize::try_from(count).is_ok_and(|count| count <= self.free.available_permits())
    }

    /// The places that are asked for, if they are free and the function's share has room.
    pub(super) fn take(self: &Arc<Self>, count: u32, sharer: Option<&dyn Deployed>) -> Option<Place> {
        if sharer.is_some_and(|sharer| !self.is_within_share(count, sharer)) {
            return None;
        }
        self.free.try_acquire_many(count).ok()?.forget();
        Some(Place { places: Arc::clone(self), count })
    }

    fn is_within_share(&self, count: u32, sharer: &dyn Deployed) -> bool {
        let free = self.free.available_permits();
        let share = SHARE * free as u64;
        // While few places are taken, no function can have more than its share.
        let taken = self.total.saturating_sub(free) as u64;
        taken < share || sharer.begun().saturating_mul(u64::from(count)) < share
    }

    /// Queues a request. The receiver gets its place.
    pub(super) fn queue(self: &Arc<Self>, request: &Request) -> (Waits<'_>, oneshot::Receiver<Granted>) {
        let (place, receiver) = oneshot::channel();
        let waits = Waits::begin(&self.waiting);
        {
            let mut queue = self.lock();
            // Those who have left would else be kept for as long as no place becomes free.
            queue.skip(&request.function, |waiting| waiting.place.is_closed());
            queue.push(&request.function, Waiting { request: request.clone(), place });
        }
        // The place that became free before this invocation was seen to wait.
        fence(SeqCst);
        self.serve();
        (waits, receiver)
    }

    /// Gives free places to those who wait.
    fn serve(self: &Arc<Self>) {
        while let Some((waiting, granted)) = self.next() {
            if let Err(granted) = waiting.place.send(granted) {
                // The caller has left. Not dropped, because that would begin to serve again.
                granted.place.give_back();
            }
        }
    }

    fn next(self: &Arc<Self>) -> Option<(Waiting, Granted)> {
        let mut granted = None;
        let waiting = self.lock().take(|Waiting { request: Request { count, sharer, .. }, .. }| {
            let place = self.take(*count, sharer.as_deref());
            granted = place.map(|place| Granted { _promise: sharer.as_ref().map(Promise::new), place });
            granted.is_some()
        });
        waiting.zip(granted)
    }

    fn lock(&self) -> MutexGuard<'_, Rotation<Waiting>> {
        // Every change is whole: there is nothing that a panic could break.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An invocation that waits, until this is dropped.
pub(super) struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, SeqCst);
        Self(count)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Promise {
    fn new(sharer: &Arc<dyn Deployed>) -> Self {
        sharer.promised().fetch_add(1, Relaxed);
        Self(Arc::clone(sharer))
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.0.promised().fetch_sub(1, Relaxed);
    }
}

impl Place {
    /// Lets callers who queue for a place end `guest`, which holds this one, from `due` on.
    pub(crate) fn register(&self, due: Instant, guest: &Arc<dyn Evictable>) -> Registration {
        self.places.overdue.insert(due, guest);
        Registration { places: Arc::clone(&self.places), due, guest: Arc::clone(guest) }
    }

    /// Gives the places back, and serves no other invocation.
    fn give_back(mut self) {
        self.release();
        self.count = 0;
    }

    fn release(&self) {
        self.places.free.add_permits(usize::try_from(self.count).unwrap_or(usize::MAX));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.count == 0 {
            return;
        }
        self.release();
        // Either this sees the invocation that begins to wait, or the invocation sees the free place.
        fence(SeqCst);
        if self.places.waiting.load(SeqCst) > 0 {
            self.places.serve();
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.places.overdue.remove(self.due, &self.guest);
    }
}
