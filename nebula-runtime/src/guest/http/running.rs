//! A guest at work on a request, and after it.

use std::{
    future::Future as _,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::{AbortHandle, Abortable, Aborted, BoxFuture, Either, select};
use http_body_util::BodyExt as _;
use tokio::{runtime::Handle, sync::oneshot, time::Instant};
use wasmtime_wasi_http::WasiBody;

use super::request::Upload;
use crate::{
    call::{AfterResponse, ErrorKind, Evictable, InvokeError, ReportHandle},
    engine::Supervised,
    guest::Held,
};

/// A response's head, and its body on its way; or why the guest made none.
pub(super) type Head = Result<http::Response<WasiBody>, InvokeError>;

/// A guest at work. What it read and wrote is noted in the report when it is dropped.
///
/// It is run by whoever waits for its response, and then by whoever reads that: it needs no task of its own, and stops
/// when nobody wants its response any more.
pub(super) struct Running {
    /// And what is kept for it; `None` once it has ended.
    pub(super) guest: Option<(Guest, Held)>,
    /// Dropped when the response has been read: the guest's store waits for that.
    pub(super) reading: Option<oneshot::Sender<()>>,
    pub(super) failure: Option<InvokeError>,
    pub(super) terms: Terms,
    pub(super) upload: Arc<Upload>,
    pub(super) written: u64,
    pub(super) report: ReportHandle,
}

pub(super) type Guest = Supervised<BoxFuture<'static, Result<(), InvokeError>>>;

/// What a response is held to, and its guest.
#[derive(Clone, Copy)]
pub(super) struct Terms {
    /// Whether it answers a request of HEAD.
    pub(super) is_head: bool,
    /// How large it may be, in bytes.
    pub(super) max: Option<u64>,
    /// When its guest is past its time.
    pub(super) due: Option<Instant>,
    /// What becomes of the guest if it goes on after the response.
    pub(super) after_response: AfterResponse,
}

impl Running {
    /// A guest, and what ends when its response has been read.
    pub(super) fn new(
        (guest, reading): (Guest, oneshot::Sender<()>),
        held: Held,
        upload: Arc<Upload>,
        terms: Terms,
        report: ReportHandle,
    ) -> Self {
        let (guest, reading) = (Some((guest, held)), Some(reading));
        Self { guest, reading, failure: None, terms, upload, written: 0, report }
    }

    /// Runs the guest until it has answered.
    pub(super) fn poll_head(&mut self, head: &mut oneshot::Receiver<Head>, context: &mut Context<'_>) -> Poll<Head> {
        self.poll_guest(context);
        let polled = Pin::new(head).poll(context);
        if let Some(broken) = self.upload.take_failure() {
            // Whatever the guest makes of half a request is not the answer to it.
            return Poll::Ready(Err(broken));
        }
        polled.map(|head| head.unwrap_or_else(|_| Err(self.failure.take().unwrap_or_else(no_response))))
    }

    /// Runs the guest for as long as it does not wait.
    pub(super) fn poll_guest(&mut self, context: &mut Context<'_>) {
        if let Some((guest, _)) = &mut self.guest
            && let Poll::Ready(ended) = Pin::new(guest).poll(context)
        {
            self.guest = None;
            self.failure = ended.err();
        }
    }

    /// Lets the guest go on without a reader: its response is out, and it has what is left of its time for the rest. The
    /// bytes that it still writes into an `unread` body are thrown away.
    pub(super) fn detach(&mut self, unread: Option<WasiBody>) {
        self.reading = None;
        if let (Some((guest, held)), Ok(runtime)) = (self.guest.take(), Handle::try_current()) {
            runtime.spawn(go_on((guest, unread), held, self.terms.due, self.report.clone()));
        }
        if let Some(error) = self.failure.take() {
            log_late(&self.report, &error);
        }
    }

    /// What there is to wait for once the response is out.
    pub(super) fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.reading = None;
        if self.terms.after_response == AfterResponse::Detach {
            self.detach(None);
        }
        self.poll_guest(context);
        if self.guest.is_some() {
            return Poll::Pending;
        }
        if let Some(error) = self.failure.take() {
            log_late(&self.report, &error);
        }
        Poll::Ready(())
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

/// Runs a guest whose response is out to its end. Its reader may have taken so long that it is past its time by then:
/// it goes on for what is its own, unless another call needs its place.
async fn go_on((guest, unread): (Guest, Option<WasiBody>), held: Held, due: Option<Instant>, report: ReportHandle) {
    let (abort, aborted) = AbortHandle::new_pair();
    let overdue: Arc<dyn Evictable> = Arc::new(Detached(abort));
    let registrations = due.map(|due| held.register(due, &overdue));
    let ended = match select(Abortable::new(guest, aborted), pin!(discard(unread))).await {
        Either::Left((ended, _)) => ended,
        Either::Right(((), guest)) => guest.await,
    };
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => log_late(&report, &error),
        Err(Aborted) => {
            let detail = "the function was past its timeout, and another call needed its place";
            log_late(&report, &InvokeError::new(ErrorKind::Timeout, detail));
        }
    }
    drop((held, registrations));
}

/// Throws a body away as it comes.
async fn discard(body: Option<WasiBody>) {
    let Some(mut body) = body else { return };
    while let Some(Ok(_)) = body.frame().await {}
}

/// A guest in a task of its own.
struct Detached(AbortHandle);

impl Evictable for Detached {
    fn evict(&self) -> bool {
        self.0.abort();
        // Its task ends it.
        false
    }
}

/// The response is out, whatever comes of the rest.
fn log_late(report: &ReportHandle, error: &InvokeError) {
    let id = report.update(|report| report.id.clone());
    tracing::warn!(%id, %error, "the function failed after its response");
}

fn no_response() -> InvokeError {
    InvokeError::new(ErrorKind::GuestFault, "the function ended without a response")
}

#[cfg(test)]
mod tests {
    use std::{future::pending, time::Duration};

    use super::*;
    use crate::{
        call::{Event, Gate, Guards, Invocation, Overload},
        engine::{TimeLimit, supervise},
        function::FunctionName,
    };

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_guest_that_goes_on_past_its_time_does_so_while_nobody_needs_its_place() {
        let gate = Gate::new(1, Overload::Function);
        let held = Held { guards: Guards::default(), place: gate.try_enter().unwrap() };
        let Invocation { function, report, .. } =
            Invocation::new("f".parse::<FunctionName>().unwrap(), Event::default());
        let (began, time_limit) = (Instant::now(), TimeLimit { timeout: 5 * SECOND, deadline: None });
        let mut guest: Guest = supervise(Box::pin(pending()), began, time_limit, report.clone());
        assert!(futures_util::poll!(&mut guest).is_pending());
        guest.pause();
        tokio::time::advance(10 * SECOND).await;
        let going_on = tokio::spawn(go_on((guest, None), held, time_limit.due(began), report.clone()));
        // Less than what it has left.
        tokio::time::sleep(SECOND).await;
        assert!(!going_on.is_finished() && gate.try_enter().is_none());
        assert!(gate.wait(&function, None, &report).await.is_ok());
        assert!(report.snapshot().running < 2 * SECOND);
    }
}
