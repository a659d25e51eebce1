//! Takes a guest's response, checks it, and makes its body.

use std::{
    collections::VecDeque,
    mem,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker, ready},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body::{Body as _, Frame};
use tokio::task::yield_now;
use wasmtime_wasi_http::WasiBody;

use super::{
    framing::{Framing, logged},
    running::Running,
};
use crate::{
    call::{AfterResponse, Body, ErrorKind, InvokeError, Response},
    guest::{
        CallGuards,
        streaming::{self, GuestBody},
    },
};

/// The response of a guest that has made the response's head.
///
/// # Errors
/// [`ErrorKind::GuestFault`] if the response breaks a rule of HTTP, as far as that is known before the response begins.
pub(super) async fn respond(running: Running, head: http::Response<WasiBody>) -> Result<Response, InvokeError> {
    let (mut head, body) = head.into_parts();
    let report = running.report.clone();
    let framing = Framing::take(&mut head, running.rules.is_head).map_err(|failure| logged(failure, &report))?;
    let limit = running.rules.max.unwrap_or(u64::MAX);
    let (early, is_complete) = (VecDeque::new(), framing.is_unread);
    let body = ResponseBody {
        body,
        early,
        last: None,
        running,
        limit,
        framing,
        written: 0,
        is_complete,
        has_ended: false,
        explaining: None,
    };
    Ok(Response::of_parts(head.status, head.headers, body.into_body().await?, report))
}

/// How many frames of a body are collected before the response begins, as long as the guest makes them without waiting.
const MAX_EARLY_FRAMES: usize = 4;

/// How often the guest is run again to complete its body before the response begins, if only a tick has interrupted the
/// guest.
const MAX_TURNS: usize = 8;

/// A waker that notes that it was called: the guest can go on at once.
#[derive(Default)]
struct WakeFlag(AtomicBool);

impl WakeFlag {
    fn take(&self) -> bool {
        self.0.swap(false, Relaxed)
    }
}

impl Wake for WakeFlag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

/// A response's body. Polling it runs the guest.
struct ResponseBody {
    body: WasiBody,
    /// Frames that were taken out of the body and not read yet.
    early: VecDeque<Frame<Bytes>>,
    /// The frame that completes the length that the guest has announced. The reader gets it when the guest has ended
    /// the body: with this frame, the client has a whole response.
    last: Option<Frame<Bytes>>,
    running: Running,
    limit: u64,
    framing: Framing,
    /// How many bytes the guest has written, including those of a body that is not sent.
    written: u64,
    /// Whether the client gets the whole response, even if the guest is stopped now.
    is_complete: bool,
    /// Whether the body has ended.
    has_ended: bool,
    /// The body has ended with this error, which gets the lines of its stack.
    explaining: Option<BoxFuture<'static, InvokeError>>,
}

impl ResponseBody {
    /// The body. If the guest makes all of it without waiting, the body is a block of bytes: its length is known, and
    /// reading it is cheap. Otherwise the body is streamed.
    async fn into_body(mut self) -> Result<Body, InvokeError> {
        let mut made = self.poll_whole(Waker::noop());
        if made.is_pending() {
            made = self.poll_longer().await;
        }
        match made {
            Poll::Ready(Ok(Some(bytes))) => {
                self.is_complete = true;
                let sent = if self.framing.is_unread { Bytes::new() } else { bytes };
                self.running.written = sent.len() as u64;
                Ok(Body::from(sent))
            }
            Poll::Ready(Err(failure)) => {
                self.is_complete = false;
                let explained = self.running.with_lines(failure);
                drop(self);
                Err(explained.await)
            }
            // The caller need not wait for a body that is not sent. Dropping `self` lets the guest go on with it.
            _ if self.framing.is_unread && self.running.rules.after_response == AfterResponse::Detach => {
                Ok(Body::empty())
            }
            _ => {
                let (due, report) = (self.running.rules.due, self.running.report.clone());
                Ok(streaming::body(self, due, report))
            }
        }
    }

    /// Runs the guest a few times more, as long as only ticks interrupt it, and then does as [`Self::poll_whole`] does.
    /// Without this, more responses would be sent in two pieces, and more faults would be found only after the response
    /// has begun.
    async fn poll_longer(&mut self) -> Poll<Result<Option<Bytes>, InvokeError>> {
        let woken = Arc::<WakeFlag>::default();
        let waker = Waker::from(Arc::clone(&woken));
        let mut made = self.poll_whole(&waker);
        for _ in 0..MAX_TURNS {
            // A guest that is woken at once was interrupted by a tick. Any other pending guest waits.
            if !(made.is_pending() && woken.take()) {
                break;
            }
            yield_now().await;
            made = self.poll_whole(&waker);
        }
        made
    }

    /// All bytes of the body, or `None` if it must be streamed. Pending while the guest must run to make more of it.
    fn poll_whole(&mut self, waker: &Waker) -> Poll<Result<Option<Bytes>, InvokeError>> {
        let mut context = Context::from_waker(waker);
        for _ in 0..MAX_EARLY_FRAMES {
            let mut polled = Pin::new(&mut self.body).poll_frame(&mut context);
            if polled.is_pending() {
                self.running.poll_guest(&mut context);
                polled = Pin::new(&mut self.body).poll_frame(&mut context);
            }
            match ready!(polled) {
                Some(Ok(frame)) => {
                    self.early.push_back(frame);
                    self.framing.check_part(self.early_size()).map_err(|failure| self.logged(failure))?;
                }
                Some(Err(error)) if !self.framing.ignores(&error) => {
                    if let Some(refusal) = self.refusal(&error, self.early_size()) {
                        return Poll::Ready(Err(refusal));
                    }
                    self.running.failure.get_or_insert_with(|| broken(&error));
                    break;
                }
                None | Some(Err(_)) => {
                    self.running.reading = None;
                    self.running.poll_guest(&mut context);
                    return Poll::Ready(self.take_whole());
                }
            }
        }
        Poll::Ready(Ok(None))
    }

    /// All bytes of a body that has ended, or `None` if it must be streamed.
    fn take_whole(&self) -> Result<Option<Bytes>, InvokeError> {
        if self.running.failure.is_none() {
            self.framing.check_whole(self.early_size()).map_err(|failure| self.logged(failure))?;
        }
        Ok(whole(&self.early).filter(|bytes| self.can_send_whole(bytes)))
    }

    fn can_send_whole(&self, whole: &Bytes) -> bool {
        let running = &self.running;
        let has_ended = running.guest.is_none() || running.rules.after_response == AfterResponse::Detach;
        has_ended && self.running.failure.is_none() && (self.framing.is_unread || whole.len() as u64 <= self.limit)
    }

    fn poll_body(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, InvokeError>>> {
        if let Some(frame) = self.early.pop_front() {
            return Poll::Ready(Some(self.count(&frame).map(|()| frame)));
        }
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(self.count(&frame).map(|()| frame))),
            Poll::Ready(Some(Err(error))) if !self.framing.ignores(&error) => {
                Poll::Ready(Some(Err(self.failure(&error))))
            }
            // The body of a guest that has failed ends as if all were well, so `end` looks for the failure.
            Poll::Ready(None | Some(Err(_))) => Poll::Ready(self.end().err().map(Err)),
            Poll::Pending => match self.running.failure.take() {
                Some(failure) => Poll::Ready(Some(Err(self.running.upload.take_failure().unwrap_or(failure)))),
                None => Poll::Pending,
            },
        }
    }

    fn count(&mut self, frame: &Frame<Bytes>) -> Result<(), InvokeError> {
        self.written += size(frame);
        if !self.framing.is_unread {
            self.running.written = self.written;
        }
        if self.running.written > self.limit {
            let detail = format!("the function exceeded its response limit of {} bytes (max_response)", self.limit);
            return Err(InvokeError::new(ErrorKind::LimitExceeded, detail));
        }
        self.framing.check_part(self.written).map_err(|failure| self.logged(failure))
    }

    /// Checks a body that has ended without an error.
    fn end(&mut self) -> Result<(), InvokeError> {
        match self.running.failure.take() {
            Some(failure) => Err(self.running.upload.take_failure().unwrap_or(failure)),
            None => self.framing.check_whole(self.written).map_err(|failure| self.logged(failure)),
        }
    }

    /// Ends the body with its trailers. Nothing follows them, so a reader need not come back for the end.
    fn end_with(&mut self, trailers: Frame<Bytes>) -> Result<Frame<Bytes>, InvokeError> {
        self.end()?;
        (self.is_complete, self.has_ended) = (true, true);
        Ok(trailers)
    }

    /// The error of a response whose body has ended with `error`.
    fn failure(&mut self, error: &wasmtime_wasi_http::Error) -> InvokeError {
        self.refusal(error, self.written).or_else(|| self.running.failure.take()).unwrap_or_else(|| broken(error))
    }

    /// The error of a response whose body has ended with `error`, if none of the body may be sent because of it.
    fn refusal(&self, error: &wasmtime_wasi_http::Error, written: u64) -> Option<InvokeError> {
        let length =
            || self.framing.failure(error, written, self.running.failure.is_some()).map(|failure| self.logged(failure));
        self.running.upload.take_failure().or_else(length)
    }

    fn logged(&self, failure: InvokeError) -> InvokeError {
        logged(failure, &self.running.report)
    }

    fn early_size(&self) -> u64 {
        self.early.iter().map(size).sum()
    }

    /// The next frame for the reader, if there is one after the guest has made `frame`.
    fn next_for_reader(&mut self, frame: Frame<Bytes>) -> Option<Frame<Bytes>> {
        if self.framing.is_unread {
            return None;
        }
        if frame.is_data() && self.framing.is_full(self.written) {
            self.last.get_or_insert(frame);
            return None;
        }
        let Some(last) = self.last.take() else { return Some(frame) };
        self.early.push_front(frame);
        Some(last)
    }
}

impl GuestBody for ResponseBody {
    fn guards(&self) -> Option<&CallGuards> {
        self.running.guest.as_ref().map(|(_, guards)| guards)
    }

    fn pause(&mut self) {
        if let Some((guest, _)) = &mut self.running.guest {
            guest.pause();
        }
    }

    fn stop(mut self: Box<Self>) {
        // So that dropping it does not let the guest go on.
        self.is_complete = false;
    }
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = InvokeError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, InvokeError>>> {
        loop {
            if let Some(explaining) = &mut self.explaining {
                let error = ready!(explaining.as_mut().poll(context));
                self.explaining = None;
                return Poll::Ready(Some(Err(error)));
            }
            if self.has_ended {
                return self.running.poll_rest(context).map(|()| None);
            }
            self.running.poll_guest(context);
            match ready!(self.poll_body(context)) {
                Some(Ok(frame)) => match self.next_for_reader(frame) {
                    Some(frame) if frame.is_trailers() => return Poll::Ready(Some(self.end_with(frame))),
                    Some(frame) => return Poll::Ready(Some(Ok(frame))),
                    None if self.framing.is_unread => {
                        // Yields, so that a guest that writes without end does not keep the thread for itself.
                        context.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    None => {}
                },
                None => {
                    (self.is_complete, self.has_ended) = (true, true);
                    if let Some(last) = self.last.take() {
                        return Poll::Ready(Some(Ok(last)));
                    }
                }
                Some(Err(error)) => self.explaining = Some(self.running.with_lines(error)),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.has_ended && (self.running.guest.is_none() || self.running.rules.after_response == AfterResponse::Detach)
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        // A reader that leaves before it has the whole response stops the guest. Otherwise the guest goes on.
        if self.is_complete {
            let unread = self.framing.is_unread.then(|| mem::take(&mut self.body));
            self.running.detach(unread);
        }
    }
}

/// The bytes of a body's frames. `None` if one of the frames is not of bytes.
fn whole(frames: &VecDeque<Frame<Bytes>>) -> Option<Bytes> {
    let mut parts = frames.iter().map(Frame::data_ref);
    match frames.len() {
        0 => Some(Bytes::new()),
        1 => parts.next()?.cloned(),
        _ => parts.collect::<Option<Vec<_>>>().map(|parts| parts.into_iter().flatten().copied().collect()),
    }
}

fn size(frame: &Frame<Bytes>) -> u64 {
    frame.data_ref().map_or(0, |data| data.len() as u64)
}

fn broken(error: &wasmtime_wasi_http::Error) -> InvokeError {
    InvokeError::new(ErrorKind::GuestFault, format!("the function broke its response off: {error}"))
}
