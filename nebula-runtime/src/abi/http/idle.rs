//! Instances that serve one request after another: of handlers of WASI 0.3, where the configuration asks for it.
//!
//! Whoever waits for the response runs the instance, as it would run a fresh one, and leaves it here for the next request. So
//! a request costs no other task, and when it fails or its client leaves, only its own instance ends.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, sleep_until},
};
use wasmtime::Store;
use wasmtime_wasi_http::p3::bindings::Service;

use crate::{
    InvocationId, ReportHandle, Reuse,
    abi::{component::System, stdio::Stderr},
    engine::{Engine, Host},
};

/// One instance.
pub(super) struct Instance {
    pub(super) store: Store<Host<System>>,
    /// What is called. `None` before the first request, of a handler of WASI 0.2, and where it takes no further one.
    pub(super) service: Option<Service>,
    stderr: Stderr,
    served: u32,
}

impl Instance {
    pub(super) fn new(store: Store<Host<System>>, stderr: Stderr) -> Self {
        Self { store, service: None, stderr, served: 0 }
    }
}

/// The instances of one deployment that wait for a request.
pub(crate) struct Idle {
    engine: Arc<Engine>,
    reuse: Reuse,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// In the order in which they came: the last one is taken first, so that those there are too many of retire.
    waiting: VecDeque<Waiting>,
    /// Whether a task looks after those that have waited for long enough.
    watched: bool,
}

struct Waiting {
    instance: Instance,
    until: Instant,
    _place: OwnedSemaphorePermit,
}

impl Idle {
    pub(super) fn new(engine: Arc<Engine>, reuse: Reuse) -> Self {
        Self { engine, reuse, state: Mutex::default() }
    }

    /// An instance that waits, for this invocation.
    pub(super) fn take(&self, now: Instant, id: &InvocationId, report: &ReportHandle) -> Option<Instance> {
        let waiting = self.state().waiting.pop_back()?;
        let Waiting { mut instance, .. } = Some(waiting).filter(|waiting| now < waiting.until)?;
        instance.stderr.pass_to(id);
        self.engine.resume(&mut instance.store, report);
        Some(instance)
    }

    /// Keeps an instance that has answered, if it may serve again and there is room for one that waits.
    pub(super) fn keep(self: &Arc<Self>, mut instance: Instance) {
        instance.served += 1;
        if instance.service.is_none() || instance.served >= self.reuse.max_requests.get() {
            return;
        }
        let Some(place) = self.engine.place_to_wait() else { return };
        instance.stderr.end_line();
        instance.store.data_mut().pause();
        let until = Instant::now() + self.reuse.idle;
        let mut state = self.state();
        state.waiting.push_back(Waiting { instance, until, _place: place });
        if !state.watched {
            state.watched = true;
            tokio::spawn(retire(Arc::downgrade(self)));
        }
    }

    /// Those that have waited for long enough, and when to look again if there are others.
    fn expired(&self) -> (Vec<Waiting>, Option<Instant>) {
        let now = Instant::now();
        let mut state = self.state();
        let expired = state.waiting.partition_point(|waiting| waiting.until <= now);
        let expired = state.waiting.drain(..expired).collect();
        let next = state.waiting.front().map(|waiting| waiting.until);
        state.watched = next.is_some();
        (expired, next)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No panic can come between two writes.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends instances that have waited for long enough, as long as there are any that wait.
async fn retire(idle: Weak<Idle>) {
    /// Instances may wait for days, and be gone with their deployment long before: then this is to end, too.
    const LOOK: Duration = Duration::from_mins(1);

    while let Some((expired, next)) = idle.upgrade().map(|idle| idle.expired()) {
        drop(expired);
        match next {
            Some(next) => sleep_until(next.min(Instant::now() + LOOK)).await,
            None => return,
        }
    }
}
