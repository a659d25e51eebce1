//! Instances that serve several requests at once: of handlers of WASI 0.3, whose standard allows it, where the configuration
//! asks for it. Each has a task of its own.
//!
//! Which instance takes which request is for [`ProxyHandler`] to say. Here is what it asks: how to make an instance, how
//! much one takes, when it has had its time, and what its requests are told when it fails.

use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use tokio::{
    sync::{OwnedSemaphorePermit, oneshot},
    time::{self, Sleep, sleep, timeout_at},
};
use wasmtime::{Store, StoreContextMut, component::GuestTaskId};
use wasmtime_wasi_http::{
    WasiBody, WasiHttpView as _,
    handler::{
        ExpirationError, HandlerState, Instance, InstantiationError, Proxy, ProxyHandler, ShouldAccept,
        WorkerExpiration, WorkerState, WorkerStatus,
    },
    p3::bindings::{ServicePre, http::types::ErrorCode},
};

use super::{
    FOREVER, Head,
    course::{Course, Link},
    refused,
};
use crate::{
    ErrorKind, FunctionConfig, FunctionRef, GuestStderr, InvocationId, InvokeError, Limits, ReportHandle, Reuse,
    abi::{
        Outgoing,
        component::System,
        stdio::{self, Stderr},
    },
    engine::{Allowance, Engine, Host, fault, unstarted},
};

/// The instances of one deployment. Clones are the same instances.
#[derive(Clone)]
pub(crate) struct Shared(ProxyHandler<Pool>);

/// What each of the instances is made of.
pub(super) struct Pool {
    pub(super) engine: Arc<Engine>,
    pub(super) service: ServicePre<Host<System>>,
    pub(super) function: FunctionRef,
    pub(super) config: FunctionConfig,
    pub(super) outgoing: Outgoing,
    pub(super) limits: Limits,
    pub(super) stderr: GuestStderr,
    pub(super) reuse: Reuse,
}

/// What goes with a request: whether it is still wanted, and its report.
pub(super) struct Ticket {
    /// Ends when nobody waits for the answer any more: its time was over, or its client left.
    abandoned: oneshot::Receiver<()>,
    report: ReportHandle,
    /// Where to say which instance took the request.
    link: Arc<Link>,
}

impl Shared {
    pub(super) fn new(pool: Pool) -> Self {
        Self(ProxyHandler::new(pool))
    }

    /// Has an instance answer a request that `began` just now, and says by `link` which one took it.
    pub(super) async fn handle(
        self,
        request: http::Request<WasiBody>,
        began: time::Instant,
        allowance: Allowance,
        link: Arc<Link>,
        report: ReportHandle,
    ) -> Head {
        // Dropped with this future, or when it is done.
        let (_waiting, abandoned) = oneshot::channel();
        let ticket = Ticket { abandoned, report, link: Arc::clone(&link) };
        let handling = self.0.handle(ticket, request);
        let handled = match allowance.due(began) {
            Some(due) => timeout_at(due, handling).await.map_err(|_| allowance.failure(began))?,
            None => handling.await,
        };
        match handled {
            Ok(head) => Ok(head),
            Err(error) if error.is::<ExpirationError>() => Err(allowance.failure(began)),
            Err(error) => Err(failure(error, link.course().as_deref()).await),
        }
    }
}

/// What a request failed with: by itself, or together with its instance.
async fn failure(error: wasmtime::Error, course: Option<&Course>) -> InvokeError {
    if let Some(code) = error.downcast_ref::<ErrorCode>() {
        return refused(code);
    }
    if let Some(error) = error.downcast_ref::<InstantiationError<Ticket>>() {
        return unstarted(&error.error);
    }
    if let Some(course) = course {
        course.has_ended().await;
        if let Some(failure) = course.failure() {
            return failure;
        }
    }
    InvokeError::new(ErrorKind::GuestFault, format!("the function failed: {}", error.root_cause())).with_source(error)
}

impl HandlerState for Pool {
    type StoreData = Host<System>;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> wasmtime::Result<Instance<Host<System>, Expiration, Worker>> {
        // An instance has a name of its own, since it serves many invocations.
        let id = InvocationId::random();
        let wasi = stdio::without_input(&self.config, &Stderr::new(&id, self.stderr))?;
        let report = ReportHandle::new(id, self.function.clone());
        let mut store = self.engine.store(System::new(wasi, self.outgoing.clone()), self.limits.memory, &report);
        let service = self.service.instantiate_async(&mut store).await?;
        let state = Worker { reuse: self.reuse, course: Arc::default() };
        let (timeout, idle, course) = (self.limits.timeout.min(FOREVER), self.reuse.idle, Arc::clone(&state.course));
        let timer = Box::pin(sleep(idle));
        let (engine, waiting, start, paused_before) = (Arc::clone(&self.engine), None, None, Duration::ZERO);
        let expiration = Expiration { timeout, idle, course, timer, engine, waiting, start, paused_before };
        Ok(Instance { store, proxy: Proxy::P3(service), view: |host| host.http(), expiration, state })
    }
}

/// One instance, as it takes requests.
pub(super) struct Worker {
    reuse: Reuse,
    course: Arc<Course>,
}

impl WorkerState for Worker {
    type StoreData = Host<System>;
    type RequestData = Ticket;

    fn should_accept_request(&self, concurrent: usize, total: usize) -> ShouldAccept {
        if total >= self.reuse.max_requests.get() as usize {
            ShouldAccept::Never
        } else if concurrent >= self.reuse.max_concurrent.get() as usize {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        store: StoreContextMut<'_, Host<System>>,
        ticket: Ticket,
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        let memory = store.data().limiter.memory();
        ticket.report.update(|report| report.peak_memory = memory);
        ticket.link.enter(&self.course);
        // No timer of its own: whoever waits for the answer has one.
        Box::pin(ticket.abandoned.map(drop))
    }

    fn drop(&self, store: Store<Host<System>>, ended: wasmtime::Result<()>) {
        let failure = match ended {
            // It has served its number, and was idle: it failed nobody.
            Ok(()) => None,
            Err(_) if self.course.late.load(Relaxed) => {
                Some((ErrorKind::Timeout, "the function's instance did not end in time (timeout)".to_owned()))
            }
            Err(error) => {
                let fault = fault(error, &store);
                Some((fault.kind(), format!("{}; it ended every request of its instance", fault.detail())))
            }
        };
        self.course.fail(failure);
        // Only now: with the store go the bodies, whose readers ask for the failure then.
        drop(store);
        self.course.release();
    }
}

/// When an instance has had its time.
pub(super) struct Expiration {
    timeout: Duration,
    idle: Duration,
    course: Arc<Course>,
    timer: Pin<Box<Sleep>>,
    engine: Arc<Engine>,
    /// The instance's place while it is idle and has none of a request.
    waiting: Option<OwnedSemaphorePermit>,
    /// Since when the instance is in its state, and for how long its readers had kept it waiting by then.
    start: Option<Instant>,
    paused_before: Duration,
}

impl WorkerExpiration for Expiration {
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>, status: WorkerStatus, start: Instant) -> Poll<()> {
        // A worker asks this whenever its instance has done all that it can.
        self.course.worker.register(context.waker());
        self.course.turned.notify_waiters();
        if !self.has_place(status) {
            return Poll::Ready(());
        }
        self.course.set_idle(status == WorkerStatus::Idle);
        let Some(end) = self.end(status, start) else { return Poll::Pending };
        // An instance is polled many times a request: a timer that goes off too early is set again, and is else left alone.
        if end < self.timer.deadline() {
            self.timer.as_mut().reset(end);
        }
        while self.timer.as_mut().poll(context).is_ready() {
            if self.timer.deadline() >= end {
                self.course.late.store(status != WorkerStatus::Idle, Relaxed);
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(end);
        }
        Poll::Pending
    }
}

impl Expiration {
    /// Whether the instance may stay: one that is idle only while there is room for those that wait.
    fn has_place(&mut self, status: WorkerStatus) -> bool {
        if status != WorkerStatus::Idle {
            self.waiting = None;
            return true;
        }
        if self.waiting.is_none() {
            self.waiting = self.engine.place_to_wait();
        }
        self.waiting.is_some()
    }

    /// When the instance has had its time; `None` while it waits for a reader, who wakes it.
    fn end(&mut self, status: WorkerStatus, start: Instant) -> Option<time::Instant> {
        let (paused, is_paused) = self.course.paused();
        if self.start.replace(start) != Some(start) {
            self.paused_before = paused;
        }
        let end = match status {
            WorkerStatus::Idle => start + self.idle,
            // What a request did not get done by its own deadline, it never will: `start` is that of the last one.
            WorkerStatus::Requests => start + self.timeout,
            WorkerStatus::PostReturn if is_paused => return None,
            WorkerStatus::PostReturn => start + self.timeout + paused.saturating_sub(self.paused_before),
        };
        Some(end.into())
    }
}
