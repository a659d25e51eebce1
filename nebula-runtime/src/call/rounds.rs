//! Rounds, in which functions take turns that have many short calls.
//!
//! The connections of a server are served in turn. So a function that is called over many connections would leave nearly
//! no time to the others, although none of its calls waits for a place: each is over before the next one begins. Hence,
//! while several functions are called, a function begins only a few calls in each round, and the rest of its calls wait.
//! A round ends when the server has nothing else to do, so that no processor is idle for it.

use std::{
    num::NonZeroUsize,
    ptr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    thread::available_parallelism,
    time::Duration,
};

use tokio::{
    sync::oneshot,
    task::yield_now,
    time::{Instant, timeout_at},
};

use super::{gate::QUEUE_TIMEOUT, invocation::Invocation, places::Request, resolved::Deployed, rotation::Rotation};

/// How many calls a function begins in a round for each processor. With fewer of them, rounds end more often, which costs
/// a look for new requests each time. With more of them, the calls of other functions wait longer.
const CALLS: u32 = 8;

/// How long ago the last change from one called function to another may be, so that calls still wait for rounds.
const SHARED: Duration = Duration::from_millis(100);

/// The least time between two notes of a change. Each note slows down the processors that read it.
const NOTED: Duration = Duration::from_millis(1);

/// The rounds of a server.
pub(crate) struct Rounds(Arc<Inner>);

struct Inner {
    /// How many calls a function begins in a round.
    calls: u32,
    began: Instant,
    /// The function that was noted last, by its address.
    noted: AtomicUsize,
    /// When it was noted, in microseconds after `began`. 0 if that never happened.
    noted_at: AtomicU64,
    round: AtomicU32,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    calls: Rotation<Waiting>,
    /// Whether a task begins the next rounds.
    has_keeper: bool,
}

/// A call that waits for the next round.
struct Waiting {
    deployed: Arc<dyn Deployed>,
    begin: oneshot::Sender<()>,
}

/// The next round does not begin in time.
pub(crate) struct TooLong;

impl Rounds {
    pub(crate) fn new() -> Self {
        let processors = available_parallelism().map_or(1, NonZeroUsize::get);
        Self(Arc::new(Inner {
            calls: CALLS.saturating_mul(processors.try_into().unwrap_or(u32::MAX)),
            began: Instant::now(),
            noted: AtomicUsize::new(0),
            noted_at: AtomicU64::new(0),
            round: AtomicU32::new(0),
            queue: Mutex::default(),
        }))
    }

    /// Whether an invocation may begin in this round.
    pub(crate) fn admit(&self, invocation: &Invocation) -> bool {
        let Some(deployed) = invocation.deployed.as_deref() else { return true };
        let now = invocation.ready_since.unwrap_or_else(Instant::now);
        !self.0.is_shared(deployed, now) || self.0.count(deployed)
    }

    /// Waits for a round in which the invocation of this request may begin.
    pub(crate) async fn wait(&self, request: &Request, deadline: Option<Instant>) -> Result<(), TooLong> {
        let Some(deployed) = request.sharer.clone() else { return Ok(()) };
        let patience = Instant::now() + QUEUE_TIMEOUT;
        let until = deadline.map_or(patience, |deadline| deadline.min(patience));
        // If the keeper is dropped with its runtime, the invocation begins at once.
        timeout_at(until, self.queue(deployed)).await.map(drop).map_err(|_| TooLong)
    }

    fn queue(&self, deployed: Arc<dyn Deployed>) -> oneshot::Receiver<()> {
        let (begin, receiver) = oneshot::channel();
        let mut queue = self.0.lock();
        let function = deployed.resolved().name.clone();
        queue.calls.push(&function, Waiting { deployed, begin });
        if !queue.has_keeper {
            queue.has_keeper = true;
            tokio::spawn(Keeper(Arc::clone(&self.0)).keep());
        }
        receiver
    }
}

impl Inner {
    /// Whether other functions than this one are called, too.
    fn is_shared(&self, deployed: &dyn Deployed, now: Instant) -> bool {
        let now = now.saturating_duration_since(self.began).as_micros().try_into().unwrap_or(u64::MAX);
        let noted_at = self.noted_at.load(Relaxed);
        let ago = Duration::from_micros(now.saturating_sub(noted_at));
        let function = ptr::from_ref(deployed).addr();
        if ago >= NOTED && self.noted.load(Relaxed) != function {
            self.noted.store(function, Relaxed);
            self.noted_at.store(now.max(1), Relaxed);
        }
        noted_at > 0 && ago < SHARED
    }

    /// Counts a call that begins in this round, unless its function has begun all its calls of the round.
    fn count(&self, deployed: &dyn Deployed) -> bool {
        let round = self.round.load(Relaxed);
        let begin = |seen: u64| {
            let (seen_in, calls) = ((seen >> 32) as u32, seen as u32);
            let calls = if seen_in == round { calls } else { 0 };
            (calls < self.calls).then(|| u64::from(round) << 32 | u64::from(calls + 1))
        };
        deployed.in_round().fetch_update(Relaxed, Relaxed, begin).is_ok()
    }

    /// Begins the next round. Returns whether calls still wait.
    fn begin_round(&self) -> bool {
        self.round.fetch_add(1, Relaxed);
        let mut queue = self.lock();
        while let Some(waiting) = queue.calls.take(|waiting| self.count(&*waiting.deployed)) {
            // The caller may have left.
            waiting.begin.send(()).unwrap_or_default();
        }
        !queue.calls.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Every change is whole: there is nothing that a panic could break.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Begins rounds for as long as calls wait.
struct Keeper(Arc<Inner>);

impl Keeper {
    async fn keep(self) {
        // Tokio runs a task that yields when it has looked for new requests, and all other tasks have had a turn.
        yield_now().await;
        while self.0.begin_round() {
            yield_now().await;
        }
    }
}

impl Drop for Keeper {
    /// After the last round the queue is empty. If the task was dropped with its runtime, the calls in it begin.
    fn drop(&mut self) {
        *self.0.lock() = Queue::default();
    }
}
