//! A number of places for invocations, and how long others wait for one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    select,
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use super::{
    error::{InvokeError, Overload},
    occupancy::Occupancy,
    overdue::{Evictable, OverdueGuests},
    report::ReportHandle,
};
use crate::function::FunctionRef;

/// How long an invocation waits for a place before it is refused.
pub const QUEUE_TIMEOUT: Duration = Duration::from_millis(500);

/// How long a refused caller should wait before the next try.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A number of places, and the error where all of them are taken. Clones share the places.
#[derive(Clone)]
pub(crate) struct Gate {
    places: Arc<Places>,
    overload: Overload,
    /// The limit that a refusal names.
    limit: &'static str,
}

struct Places {
    free: Semaphore,
    total: usize,
    /// How many invocations wait for a place.
    waiting: AtomicUsize,
    overdue: OverdueGuests,
}

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

impl Gate {
    /// A place for each invocation that may run at once.
    pub(crate) fn new(places: u32, overload: Overload) -> Self {
        Self::with_limit(places, overload, "concurrency limit")
    }

    /// A place for each unit of the server's memory.
    pub(crate) fn of_memory(units: u32) -> Self {
        Self::with_limit(units, Overload::Server, "memory limit")
    }

    fn with_limit(places: u32, overload: Overload, limit: &'static str) -> Self {
        let places = usize::try_from(places).unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS);
        let (free, waiting, overdue) = (Semaphore::new(places), AtomicUsize::new(0), OverdueGuests::default());
        let places = Places { free, total: places, waiting, overdue };
        Self { places: Arc::new(places), overload, limit }
    }

    /// How many places are taken now.
    pub(crate) fn occupancy(&self) -> Occupancy {
        let Places { free, total, waiting, .. } = &*self.places;
        let taken = total.saturating_sub(free.available_permits());
        Occupancy { taken: taken as u64, total: *total as u64, waiting: waiting.load(Relaxed) as u64 }
    }

    /// A place, if one is free.
    pub(crate) fn try_enter(&self) -> Option<Place> {
        self.try_enter_many(1)
    }

    /// `count` places, if they are free.
    pub(crate) fn try_enter_many(&self, count: u32) -> Option<Place> {
        self.places.free.try_acquire_many(count).ok()?.forget();
        Some(Place { places: Arc::clone(&self.places), count })
    }

    /// A place within [`QUEUE_TIMEOUT`]. Meanwhile this ends guests that are past their time.
    pub(crate) async fn wait(
        &self,
        function: &FunctionRef,
        deadline: Option<Instant>,
        report: &ReportHandle,
    ) -> Result<Place, InvokeError> {
        self.wait_many(1, function, deadline, report).await
    }

    /// `count` places within [`QUEUE_TIMEOUT`].
    pub(crate) async fn wait_many(
        &self,
        count: u32,
        function: &FunctionRef,
        deadline: Option<Instant>,
        report: &ReportHandle,
    ) -> Result<Place, InvokeError> {
        let arrived = Instant::now();
        let patience = arrived + QUEUE_TIMEOUT;
        let until = deadline.map_or(patience, |deadline| deadline.min(patience));
        let _waiting = Waiting::begin(&self.places.waiting);
        let place = timeout_at(until, self.queue(count)).await;
        report.update(|report| report.queued += arrived.elapsed());
        place.map_err(|_| self.refusal(function))
    }

    async fn queue(&self, count: u32) -> Place {
        let acquiring = self.places.free.acquire_many(count);
        tokio::pin!(acquiring);
        loop {
            select! {
                // The queue first: the place of a guest that was ended goes to the caller who has waited longest.
                biased;
                Ok(permit) = &mut acquiring => {
                    permit.forget();
                    return Place { places: Arc::clone(&self.places), count };
                }
                () = self.places.overdue.end_one() => {}
            }
        }
    }

    fn refusal(&self, function: &FunctionRef) -> InvokeError {
        let limit = self.limit;
        let detail = match self.overload {
            Overload::Function => format!("function {} is at its {limit}; try again later", function.name()),
            Overload::Server | Overload::Client => format!("the server is at its {limit}; try again later"),
        };
        InvokeError::overloaded(self.overload, RETRY_AFTER, detail)
    }
}

/// An invocation that waits, until this is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Place {
    /// Lets callers who queue for a place end `guest`, which holds this one, from `due` on.
    pub(crate) fn register(&self, due: Instant, guest: &Arc<dyn Evictable>) -> Registration {
        self.places.overdue.insert(due, guest);
        Registration { places: Arc::clone(&self.places), due, guest: Arc::clone(guest) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.free.add_permits(usize::try_from(self.count).unwrap_or(usize::MAX));
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.places.overdue.remove(self.due, &self.guest);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use tokio::{task::yield_now, time::sleep};

    use super::*;
    use crate::{
        call::{error::ErrorKind, id::InvocationId},
        function::FunctionName,
    };

    /// A guest that waits for its reader: it holds a place until it is ended.
    struct WaitingGuest {
        name: &'static str,
        place: Mutex<Option<Place>>,
        ended: Arc<Mutex<Vec<&'static str>>>,
    }

    impl Evictable for WaitingGuest {
        fn evict(&self) -> bool {
            self.ended.lock().unwrap_or_else(PoisonError::into_inner).push(self.name);
            drop(self.place.lock().unwrap().take());
            true
        }
    }

    /// A guest that runs: it ends later than it is told to.
    struct Running(Mutex<bool>);

    impl Evictable for Running {
        fn evict(&self) -> bool {
            *self.0.lock().unwrap() = true;
            false
        }
    }

    /// A full gate, whose guests are past their time after so many milliseconds.
    struct Full {
        gate: Gate,
        ended: Arc<Mutex<Vec<&'static str>>>,
        _registrations: Vec<Registration>,
    }

    impl Full {
        fn of(guests: &[(&'static str, u64)]) -> Self {
            let gate = Gate::new(u32::try_from(guests.len()).unwrap(), Overload::Server);
            let ended = Arc::<Mutex<Vec<_>>>::default();
            let enter = |&(name, due): &(&'static str, u64)| {
                let place = gate.try_enter().unwrap();
                let guest = Arc::new(WaitingGuest { name, place: Mutex::default(), ended: Arc::clone(&ended) });
                let due = Instant::now() + Duration::from_millis(due);
                let registration = place.register(due, &(Arc::clone(&guest) as Arc<dyn Evictable>));
                *guest.place.lock().unwrap() = Some(place);
                registration
            };
            let registrations = guests.iter().map(enter).collect();
            Self { gate, ended, _registrations: registrations }
        }

        fn ended(&self) -> Vec<&'static str> {
            self.ended.lock().unwrap().clone()
        }
    }

    async fn wait(gate: &Gate) -> Result<Place, InvokeError> {
        let function: FunctionRef = "f".parse::<FunctionName>().unwrap().into();
        gate.wait(&function, None, &ReportHandle::new(InvocationId::random(), function.clone())).await
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_ended_while_nobody_waits() {
        let full = Full::of(&[("a", 0), ("b", 0)]);
        sleep(Duration::from_hours(1)).await;
        assert_eq!(full.ended(), [""; 0]);
        assert!(full.gate.try_enter().is_none());
        assert_eq!(full.ended(), [""; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_who_waits_ends_the_guest_that_is_furthest_past_its_time() {
        let full = Full::of(&[("later", 20), ("first", 10), ("last", 30)]);
        sleep(Duration::from_millis(100)).await;
        let place = wait(&full.gate).await.unwrap();
        assert_eq!(full.ended(), ["first"]);
        let both = tokio::join!(wait(&full.gate), wait(&full.gate));
        assert!(both.0.is_ok() && both.1.is_ok());
        assert_eq!(full.ended(), ["first", "later", "last"]);
        assert!(full.gate.try_enter().is_none(), "as many have a place as there are");
        drop(place);
        assert!(full.gate.try_enter().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_guest_within_its_time_is_waited_for_until_that_is_over() {
        let arrived = Instant::now();
        let full = Full::of(&[("a", 300), ("b", 900)]);
        let _place = wait(&full.gate).await.unwrap();
        assert_eq!(arrived.elapsed().as_millis() / 10, 30);
        assert_eq!(wait(&full.gate).await.err().map(|error| error.kind()), Some(ErrorKind::Overloaded));
        assert_eq!(full.ended(), ["a"]);
        assert!(wait(&full.gate).await.is_ok());
        assert_eq!(full.ended(), ["a", "b"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_guest_that_runs_is_told_and_its_place_is_waited_for() {
        let gate = Gate::new(1, Overload::Server);
        let place = gate.try_enter().unwrap();
        let running = Arc::new(Running(Mutex::new(false)));
        let later = async {
            yield_now().await;
            // Only now does it wait for its reader for the first time.
            let registration = place.register(Instant::now(), &(Arc::clone(&running) as Arc<dyn Evictable>));
            while !*running.0.lock().unwrap() {
                yield_now().await;
            }
            drop((place, registration));
        };
        let (entered, ()) = tokio::join!(wait(&gate), later);
        assert!(entered.is_ok());
    }
}
