//! A number of places for invocations, and how long others wait for one.

use std::{sync::Arc, time::Duration};

use tokio::{
    select,
    time::{Instant, timeout_at},
};

use super::{
    error::{InvokeError, Overload},
    invocation::Invocation,
    occupancy::Occupancy,
    places::{Place, Places, Request},
    report::ReportHandle,
};

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
        Self { places: Arc::new(Places::new(places)), overload, limit }
    }

    /// How many places are taken now.
    pub(crate) fn occupancy(&self) -> Occupancy {
        self.places.occupancy()
    }

    /// A place, if one is free.
    pub(crate) fn try_enter(&self) -> Option<Place> {
        self.places.take(1, None)
    }

    /// `count` places for this invocation, if they are free and in the share of its function.
    pub(crate) fn try_share(&self, invocation: &Invocation, count: u32) -> Option<Place> {
        self.places.take(count, invocation.deployed.as_deref())
    }

    /// The places of `request` within [`QUEUE_TIMEOUT`]. Meanwhile this ends guests that are past their time.
    pub(crate) async fn wait(
        &self,
        request: Request,
        deadline: Option<Instant>,
        report: &ReportHandle,
    ) -> Result<Place, InvokeError> {
        let arrived = Instant::now();
        let patience = arrived + QUEUE_TIMEOUT;
        let until = deadline.map_or(patience, |deadline| deadline.min(patience));
        let place = timeout_at(until, self.queue(&request)).await;
        report.update(|report| report.queued += arrived.elapsed());
        place.map_err(|_| self.refusal(&request))
    }

    async fn queue(&self, request: &Request) -> Place {
        let (_waits, mut receiver) = self.places.queue(request);
        loop {
            select! {
                // The queue first: a place that was given is taken before another guest is ended.
                biased;
                Ok(granted) = &mut receiver => return granted.place,
                () = self.places.overdue.end_one() => {}
            }
        }
    }

    pub(crate) fn refusal(&self, request: &Request) -> InvokeError {
        let (function, limit) = (&request.function, self.limit);
        let detail = match self.overload {
            Overload::Function => format!("function {function} is at its {limit}"),
            Overload::Server | Overload::Client if self.places.are_free(request.count) => {
                format!("function {function} has its share of the server's {limit}")
            }
            Overload::Server | Overload::Client => format!("the server is at its {limit}"),
        };
        InvokeError::overloaded(self.overload, RETRY_AFTER, format!("{detail}; try again later"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use tokio::{task::yield_now, time::sleep};

    use super::*;
    use crate::{
        call::{error::ErrorKind, id::InvocationId, overdue::Evictable, places::Registration},
        function::{FunctionName, FunctionRef},
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
        let report = ReportHandle::new(InvocationId::random(), function.clone());
        gate.wait(Request::of_one(&function), None, &report).await
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
