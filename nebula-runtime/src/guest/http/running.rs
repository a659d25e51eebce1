//! A guest that serves a request, or goes on after its response.

use std::{
    future::Future as _,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::{
    FutureExt as _,
    future::{AbortHandle, Abortable, Aborted, BoxFuture, Either, select},
};
use http_body_util::BodyExt as _;
use tokio::{runtime::Handle, sync::oneshot, time::Instant};
use wasmtime_wasi_http::WasiBody;

use super::request::UploadProgress;
use crate::{
    call::{AfterResponse, ErrorKind, Evictable, InvokeError, ReportHandle, in_words},
    engine::{Fault, Supervised, Symbols, with_lines},
    guest::CallGuards,
};

/// A response with a body that is still being written, or the reason why the guest made no response.
pub(super) type HeadResult = Result<http::Response<WasiBody>, InvokeError>;

/// A running guest. When it is dropped, it notes in the report how many bytes the guest read and wrote.
///
/// The caller that waits for the response runs the guest, and then the reader of the response does. So the guest needs
/// no task of its own, and it stops when its caller or reader leaves.
pub(super) struct Running {
    /// The guest, and the values that are kept for it. `None` when the guest has ended.
    pub(super) guest: Option<(Guest, CallGuards)>,
    /// Dropped when the response has been read. The guest's future waits for that.
    pub(super) reading: Option<oneshot::Sender<()>>,
    /// Why the guest failed.
    pub(super) failure: Option<InvokeError>,
    pub(super) rules: ResponseRules,
    pub(super) upload: Arc<UploadProgress>,
    /// How many bytes of the response's body the guest has written.
    pub(super) written: u64,
    pub(super) report: ReportHandle,
    symbols: Arc<Symbols>,
}

pub(super) type Guest = Supervised<BoxFuture<'static, Result<(), Fault>>>;

/// The rules for a response and its guest.
#[derive(Clone, Copy)]
pub(super) struct ResponseRules {
    /// Whether the request's method is HEAD.
    pub(super) is_head: bool,
    /// How many bytes the body may have.
    pub(super) max: Option<u64>,
    /// When the guest's time is over.
    pub(super) due: Option<Instant>,
    /// How a guest is run that goes on after its response.
    pub(super) after_response: AfterResponse,
}

impl Running {
    /// A guest, and the sender to drop when its response has been read.
    pub(super) fn new(
        (guest, reading): (Guest, oneshot::Sender<()>),
        guards: CallGuards,
        upload: Arc<UploadProgress>,
        rules: ResponseRules,
        report: ReportHandle,
        symbols: Arc<Symbols>,
    ) -> Self {
        let (guest, reading) = (Some((guest, guards)), Some(reading));
        Self { guest, reading, failure: None, rules, upload, written: 0, report, symbols }
    }

    /// Adds lines to the stack of an error. The guest has ended by then, so that the end of its response's body is known
    /// as a failure at once.
    pub(super) fn with_lines(&self, error: InvokeError) -> BoxFuture<'static, InvokeError> {
        with_lines(error, Arc::clone(&self.symbols), self.report.clone())
    }

    /// Runs the guest until its response's head is there.
    pub(super) fn poll_head(
        &mut self,
        head: &mut oneshot::Receiver<HeadResult>,
        context: &mut Context<'_>,
    ) -> Poll<HeadResult> {
        self.poll_guest(context);
        let polled = Pin::new(head).poll(context);
        if let Some(broken) = self.upload.take_failure() {
            // A guest that has only a part of the request must not answer it.
            return Poll::Ready(Err(broken));
        }
        polled.map(|head| head.unwrap_or_else(|_| Err(self.failure.take().unwrap_or_else(no_response))))
    }

    /// Runs the guest until it ends or waits.
    pub(super) fn poll_guest(&mut self, context: &mut Context<'_>) {
        if let Some((guest, _)) = &mut self.guest
            && let Poll::Ready(ended) = Pin::new(guest).poll(context)
        {
            self.guest = None;
            self.failure = ended.err();
        }
    }

    /// Lets the guest go on in a task of its own, because its reader has the whole response. The guest has the rest of
    /// its time. The bytes that it writes into an `unread` body are discarded.
    pub(super) fn detach(&mut self, unread: Option<WasiBody>) {
        self.reading = None;
        if let (Some((guest, guards)), Ok(runtime)) = (self.guest.take(), Handle::try_current()) {
            let (report, symbols) = (self.report.clone(), Arc::clone(&self.symbols));
            runtime.spawn(run_detached((guest, unread), guards, self.rules.due, (report, symbols)));
        }
        self.log_failure();
    }

    /// Waits for the rest of the guest after the reader has the whole response. A guest that may go on by itself is
    /// detached.
    pub(super) fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.reading = None;
        if self.rules.after_response == AfterResponse::Detach {
            self.detach(None);
        }
        self.poll_guest(context);
        if self.guest.is_some() {
            return Poll::Pending;
        }
        self.log_failure();
        Poll::Ready(())
    }

    /// Logs the failure of a guest after its response.
    fn log_failure(&mut self) {
        let Some(error) = self.failure.take() else { return };
        let (report, lines) = (self.report.clone(), self.with_lines(error));
        let mut logging = Box::pin(async move { log_late(&report, &lines.await) });
        if (&mut logging).now_or_never().is_none()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(logging);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.report.update(|report| {
            report.bytes_in = self.upload.read();
            report.bytes_out = self.written;
        });
    }
}

/// Runs a guest to its end after its response. Its reader may have taken so long that `due` has already passed. The
/// guest still has the rest of its own timeout, unless another call needs its place.
async fn run_detached(
    (guest, unread): (Guest, Option<WasiBody>),
    guards: CallGuards,
    due: Option<Instant>,
    (report, symbols): (ReportHandle, Arc<Symbols>),
) {
    let (abort, aborted) = AbortHandle::new_pair();
    let overdue: Arc<dyn Evictable> = Arc::new(Detached(abort));
    let registrations = due.map(|due| guards.register(due, &overdue));
    let ended = match select(Abortable::new(guest, aborted), pin!(discard(unread))).await {
        Either::Left((ended, _)) => ended,
        Either::Right(((), guest)) => guest.await,
    };
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => log_late(&report, &with_lines(error, symbols, report.clone()).await),
        Err(Aborted) => {
            let detail = "the function was past its timeout, and another call needed its place";
            log_late(&report, &InvokeError::new(ErrorKind::Timeout, detail));
        }
    }
    drop((guards, registrations));
}

/// Reads a body and discards its bytes.
async fn discard(body: Option<WasiBody>) {
    let Some(mut body) = body else { return };
    while let Some(Ok(_)) = body.frame().await {}
}

/// A guest that runs in a task of its own.
struct Detached(AbortHandle);

impl Evictable for Detached {
    fn evict(&self) -> bool {
        self.0.abort();
        // The guest's task ends it.
        false
    }
}

/// Logs a failure after the response, because it can no longer be reported to the caller.
fn log_late(report: &ReportHandle, error: &InvokeError) {
    let id = report.update(|report| report.id.clone());
    tracing::warn!(%id, %error, stack = in_words(error.stack()), "the function failed after its response");
}

fn no_response() -> InvokeError {
    InvokeError::new(ErrorKind::GuestFault, "the function ended without a response")
}

#[cfg(test)]
mod tests {
    use std::{future::pending, time::Duration};

    use super::*;
    use crate::{
        call::{Event, Gate, Guards, Invocation, Overload, Request},
        engine::{TimeLimit, supervise},
        function::{Digest, FunctionName},
        store::Store,
    };

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_guest_that_goes_on_past_its_time_is_ended_when_another_call_needs_its_place() {
        let gate = Gate::new(1, Overload::Function);
        let guards = CallGuards { guards: Guards::default(), place: gate.try_enter().unwrap() };
        let Invocation { function, report, .. } =
            Invocation::new("f".parse::<FunctionName>().unwrap(), Event::default());
        let (began, time_limit) = (Instant::now(), TimeLimit { timeout: 5 * SECOND, deadline: None });
        let symbols = Arc::new(Symbols::new(&Store::memory(), Digest::of(b"")));
        let mut guest: Guest = supervise(Box::pin(pending()), began, time_limit, report.clone());
        assert!(futures_util::poll!(&mut guest).is_pending());
        guest.pause();
        tokio::time::advance(10 * SECOND).await;
        let going_on =
            tokio::spawn(run_detached((guest, None), guards, time_limit.due(began), (report.clone(), symbols)));
        // Less than the time that the guest has left.
        tokio::time::sleep(SECOND).await;
        assert!(!going_on.is_finished() && gate.try_enter().is_none());
        assert!(gate.wait(Request::of_one(&function), None, &report).await.is_ok());
        assert!(report.snapshot().running < 2 * SECOND);
    }
}
