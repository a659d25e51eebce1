//! Instances that serve one request after another. Handlers of WASI 0.3 do so if their configuration asks for it.
//!
//! The task that waits for a response runs the instance, as it would run a fresh one. When the guest has ended, the
//! instance is kept here for the next request. So a request needs no other task. When it fails or its client leaves,
//! only its own instance ends.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, sleep_until},
};
use wasmtime::Store;
use wasmtime_wasi_http::p3::bindings::Service;

use super::idle_pool::{IdlePool, Reaper};
use crate::{
    call::Caller,
    engine::{Engine, Host, WaitFlag},
    function::Reuse,
    host::{Stderr, System},
};

/// An instance of a handler.
pub(super) struct Instance {
    pub(super) store: Store<Host<System>>,
    /// The exports to call. `None` before the first request, for a handler of WASI 0.2, and if the instance takes no
    /// further request.
    pub(super) service: Option<Service>,
    stderr: Stderr,
    /// How many requests it has served.
    served: u32,
}

impl Instance {
    pub(super) fn new(store: Store<Host<System>>, stderr: Stderr) -> Self {
        Self { store, service: None, stderr, served: 0 }
    }

    /// A flag that says whether the instance waits for the reader of its stderr.
    pub(super) fn waits(&self) -> Option<WaitFlag> {
        self.stderr.waits()
    }
}

/// The instances of one deployment that wait for their next request.
pub(crate) struct IdleInstances {
    engine: Arc<Engine>,
    reuse: Reuse,
    pool: Arc<IdlePool<IdleInstance>>,
}

/// An instance, and its place among the engine's waiting instances.
type IdleInstance = (Instance, OwnedSemaphorePermit);

impl IdleInstances {
    pub(super) fn new(engine: Arc<Engine>, reuse: Reuse) -> Self {
        Self { engine, reuse, pool: Arc::new(IdlePool::new()) }
    }

    /// Takes a waiting instance, to serve `caller`.
    pub(super) fn take(&self, now: Instant, caller: &Caller) -> Option<Instance> {
        let (mut instance, _) = self.pool.take(now)?;
        instance.stderr.pass_to(caller);
        instance.store.data_mut().wasi.pass_to(caller);
        self.engine.resume(&mut instance.store, caller.clone());
        Some(instance)
    }

    /// Keeps an instance for its next request, if it may serve one and there is a place to wait.
    pub(super) fn keep(&self, mut instance: Instance) {
        instance.served += 1;
        if instance.service.is_none() || instance.served >= self.reuse.max_requests.get() {
            return;
        }
        let Some(place) = self.engine.idle_place() else { return };
        instance.stderr.end_line();
        instance.store.data_mut().pause();
        let until = Instant::now() + self.reuse.idle;
        if let Some(reaper) = self.pool.keep((instance, place), until) {
            tokio::spawn(reap(reaper));
        }
    }
}

/// Ends the instances that have waited for long enough. It returns when no instance waits any more.
async fn reap(mut reaper: Reaper<IdleInstance>) {
    /// The longest pause between two checks. Instances may wait for days, but their deployment may be dropped before,
    /// and then this task must end, too.
    const MAX_PAUSE: Duration = Duration::from_mins(1);

    loop {
        let (over, next) = reaper.take_expired(Instant::now());
        drop(over);
        match next {
            Some(next) => sleep_until(next.min(Instant::now() + MAX_PAUSE)).await,
            None => return,
        }
    }
}
