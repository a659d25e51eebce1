//! Instances that serve one request after another: of handlers of WASI 0.3, where the configuration asks for it.
//!
//! Whoever waits for the response runs the instance, as it would run a fresh one, and leaves it here for the next request. So
//! a request costs no other task, and when it fails or its client leaves, only its own instance ends.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, sleep_until},
};
use wasmtime::Store;
use wasmtime_wasi_http::p3::bindings::Service;

use super::waiting::{Waiting, Watch};
use crate::{
    call::Caller,
    engine::{Engine, Host, WaitFlag},
    function::Reuse,
    host::{Stderr, System},
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

    /// Tells whether it waits for the reader of its stderr.
    pub(super) fn waits(&self) -> Option<WaitFlag> {
        self.stderr.waits()
    }
}

/// The instances of one deployment that wait for a request.
pub(crate) struct Idle {
    engine: Arc<Engine>,
    reuse: Reuse,
    waiting: Arc<Waiting<Placed>>,
}

/// An instance and the place that it has while it waits.
type Placed = (Instance, OwnedSemaphorePermit);

impl Idle {
    pub(super) fn new(engine: Arc<Engine>, reuse: Reuse) -> Self {
        Self { engine, reuse, waiting: Arc::new(Waiting::new()) }
    }

    /// An instance that waits, for this invocation.
    pub(super) fn take(&self, now: Instant, caller: &Caller) -> Option<Instance> {
        let (mut instance, _) = self.waiting.take(now)?;
        instance.stderr.pass_to(&caller.id);
        instance.store.data_mut().wasi.pass_to(caller);
        self.engine.resume(&mut instance.store, caller.clone());
        Some(instance)
    }

    /// Keeps an instance that has answered, if it may serve again and there is room for one that waits.
    pub(super) fn keep(&self, mut instance: Instance) {
        instance.served += 1;
        if instance.service.is_none() || instance.served >= self.reuse.max_requests.get() {
            return;
        }
        let Some(place) = self.engine.idle_place() else { return };
        instance.stderr.end_line();
        instance.store.data_mut().pause();
        let until = Instant::now() + self.reuse.idle;
        if let Some(watch) = self.waiting.keep((instance, place), until) {
            tokio::spawn(retire(watch));
        }
    }
}

/// Ends instances that have waited for long enough, as long as there are any that wait.
async fn retire(mut watch: Watch<Placed>) {
    /// Instances may wait for days, and be gone with their deployment long before: then this is to end, too.
    const LOOK: Duration = Duration::from_mins(1);

    loop {
        let (over, next) = watch.look(Instant::now());
        drop(over);
        match next {
            Some(next) => sleep_until(next.min(Instant::now() + LOOK)).await,
            None => return,
        }
    }
}
