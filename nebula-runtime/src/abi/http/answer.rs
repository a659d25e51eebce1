//! A guest's response on its way out, and the guest that may still be at work on it.

use std::{
    collections::VecDeque,
    future::Future as _,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::CONTENT_LENGTH;
use http_body::{Body as _, Frame};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, oneshot},
};
use wasmtime_wasi_http::WasiBody;

use super::{Head, request::Upload, shared::Course};
use crate::{Body, Ending, ErrorKind, InvokeError, ReportHandle, Response, engine::Supervised};

/// A guest at work. What it read and wrote is noted in the report when it is dropped.
///
/// It is run by whoever waits for its response, and then by whoever reads that: it needs no task of its own, and stops
/// when nobody wants its response any more.
pub(super) struct Running {
    /// `None` once it has ended, and of an instance that serves others as well.
    guest: Option<Guest>,
    /// Dropped when the response has been read: the guest's store waits for that.
    reading: Option<oneshot::Sender<()>>,
    /// How it goes with an instance that serves others as well.
    course: Option<Arc<Course>>,
    failure: Option<InvokeError>,
    /// Where the function was let in.
    place: Option<OwnedSemaphorePermit>,
    ending: Ending,
    upload: Arc<Upload>,
    written: u64,
    report: ReportHandle,
}

pub(super) type Guest = Supervised<BoxFuture<'static, Result<(), InvokeError>>>;

impl Running {
    pub(super) fn new(
        guest: Option<(Guest, oneshot::Sender<()>)>,
        upload: Arc<Upload>,
        place: OwnedSemaphorePermit,
        ending: Ending,
        report: ReportHandle,
    ) -> Self {
        let (guest, reading) = guest.unzip();
        Self { guest, reading, course: None, failure: None, place: Some(place), ending, upload, written: 0, report }
    }

    /// Waits for the response of an instance that serves others as well.
    pub(super) async fn shared(&mut self, handling: impl Future<Output = (Head, Option<Arc<Course>>)>) -> Head {
        let (head, course) = handling.await;
        self.course = course;
        match self.upload.take_failure() {
            Some(broken) => Err(broken),
            None => head,
        }
    }

    /// What an instance that serves others as well failed with.
    fn instance_failure(&self) -> Option<InvokeError> {
        self.course.as_ref()?.failure()
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
    fn poll_guest(&mut self, context: &mut Context<'_>) {
        if let Some(guest) = &mut self.guest
            && let Poll::Ready(ended) = Pin::new(guest).poll(context)
        {
            self.guest = None;
            self.failure = ended.err();
        }
    }

    /// Lets the guest go on without a reader: its response is out, and it has what is left of its time for the rest.
    fn detach(&mut self) {
        self.reading = None;
        if let (Some(guest), Ok(runtime)) = (self.guest.take(), Handle::try_current()) {
            let (report, place) = (self.report.clone(), self.place.take());
            runtime.spawn(async move {
                if let Err(error) = guest.await {
                    log_late(&report, &error);
                }
                drop(place);
            });
        }
    }

    /// What there is to wait for once the response is out.
    fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.reading = None;
        if self.ending == Ending::WithBody {
            self.detach();
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

    /// The response whose head is there.
    pub(super) async fn respond(self, head: http::Response<WasiBody>, bodiless: bool, limit: Option<u64>) -> Response {
        let (parts, body) = head.into_parts();
        let report = self.report.clone();
        let announced = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let limit = limit.unwrap_or(u64::MAX);
        let answer =
            Answer { body, early: VecDeque::new(), running: self, limit, announced, heard: bodiless, over: false };
        Response::of_parts(parts.status, parts.headers, answer.into_body().await, report)
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

/// The response is out, whatever comes of the rest.
fn log_late(report: &ReportHandle, error: &InvokeError) {
    let id = report.update(|report| report.id.clone());
    tracing::warn!(%id, %error, "the function failed after its response");
}

fn no_response() -> InvokeError {
    InvokeError::new(ErrorKind::GuestFault, "the function ended without a response")
}

/// How many parts of a body are waited for before the response begins, as long as the guest makes them without waiting.
const EARLY: usize = 4;

/// How many turns of its instance a response is given to become whole, before it begins without.
const TURNS: usize = 8;

/// A response's body. Polling it runs the guest.
struct Answer {
    body: WasiBody,
    /// What was taken out of the body already.
    early: VecDeque<Frame<Bytes>>,
    running: Running,
    limit: u64,
    /// The length that the guest said the body has.
    announced: Option<u64>,
    /// Whether the guest has said all that its client will hear.
    heard: bool,
    /// Whether the body has ended.
    over: bool,
}

impl Answer {
    /// The body, whole where the guest makes all of it without waiting: then its length is known, and it costs its reader
    /// nothing. A guest that waits is not waited for.
    async fn into_body(mut self) -> Body {
        let mut made = self.poll_whole();
        // An instance that serves others has a task of its own, perhaps on another thread. Without a few turns of that, most
        // such responses would leave in two pieces.
        for _ in 0..TURNS {
            let Some(course) = self.running.course.as_ref().filter(|_| made.is_pending()) else { break };
            course.turn().await;
            made = self.poll_whole();
        }
        match made {
            Poll::Ready(Some(bytes)) => {
                self.running.written = bytes.len() as u64;
                self.heard = true;
                Body::from(bytes)
            }
            _ => Body::stream(self),
        }
    }

    /// All of the body, if it is here and well; pending where the guest has to go on for it.
    fn poll_whole(&mut self) -> Poll<Option<Bytes>> {
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..EARLY {
            let mut polled = Pin::new(&mut self.body).poll_frame(&mut context);
            if polled.is_pending() {
                self.running.poll_guest(&mut context);
                polled = Pin::new(&mut self.body).poll_frame(&mut context);
            }
            match ready!(polled) {
                Some(Ok(frame)) => self.early.push_back(frame),
                Some(Err(error)) => {
                    self.running.failure.get_or_insert_with(|| broken(&error));
                    break;
                }
                None => {
                    self.running.reading = None;
                    self.running.poll_guest(&mut context);
                    return Poll::Ready(whole(&self.early).filter(|bytes| self.is_fine(bytes)));
                }
            }
        }
        Poll::Ready(None)
    }

    fn is_fine(&self, whole: &Bytes) -> bool {
        let running = &self.running;
        let over = running.guest.is_none() || running.ending == Ending::WithBody;
        // An instance that serves others tells that it failed before its bodies end.
        let failed = running.failure.is_some() || running.instance_failure().is_some();
        over && !failed && whole.len() as u64 <= self.limit
    }

    fn poll_body(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, InvokeError>>> {
        if let Some(frame) = self.early.pop_front() {
            return Poll::Ready(Some(Ok(frame)));
        }
        let polled = Pin::new(&mut self.body).poll_frame(context);
        let failure = match &polled {
            Poll::Ready(Some(Ok(_))) => None,
            // Without its guest, a body looks as if it had ended well.
            Poll::Ready(None) => self.running.failure.take().or_else(|| self.running.instance_failure()),
            Poll::Pending => self.running.failure.take(),
            Poll::Ready(Some(Err(error))) => self.running.failure.take().or_else(|| Some(broken(error))),
        };
        match failure {
            Some(failure) => Poll::Ready(Some(Err(self.running.upload.take_failure().unwrap_or(failure)))),
            None => polled.map_err(|error| broken(&error)),
        }
    }

    fn count(&mut self, frame: &Frame<Bytes>) -> Result<(), InvokeError> {
        self.running.written += frame.data_ref().map_or(0, |data| data.len() as u64);
        if self.running.written > self.limit {
            let detail = format!("the function exceeded its response limit of {} bytes (max_response)", self.limit);
            return Err(InvokeError::new(ErrorKind::LimitExceeded, detail));
        }
        self.heard |= self.announced == Some(self.running.written);
        Ok(())
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = InvokeError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, InvokeError>>> {
        if self.over {
            return self.running.poll_rest(context).map(|()| None);
        }
        self.running.poll_guest(context);
        let polled = self.poll_body(context);
        match polled {
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(self.count(&frame).map(|()| frame))),
            Poll::Ready(None) => {
                (self.heard, self.over) = (true, true);
                self.running.poll_rest(context).map(|()| None)
            }
            other => other,
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // A reader who leaves before the end stops the guest. One who has it all does not.
        if self.heard {
            self.running.detach();
        }
    }
}

/// The bytes of a body's frames, where there are only bytes.
fn whole(frames: &VecDeque<Frame<Bytes>>) -> Option<Bytes> {
    let mut parts = frames.iter().map(Frame::data_ref);
    match frames.len() {
        0 => Some(Bytes::new()),
        1 => parts.next()?.cloned(),
        _ => parts.collect::<Option<Vec<_>>>().map(|parts| parts.into_iter().flatten().copied().collect()),
    }
}

fn broken(error: &wasmtime_wasi_http::Error) -> InvokeError {
    InvokeError::new(ErrorKind::GuestFault, format!("the function broke its response off: {error}"))
}
