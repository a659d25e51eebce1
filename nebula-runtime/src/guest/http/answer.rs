//! A guest's response on its way out.

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
        Held,
        streaming::{self, Work},
    },
};

/// The response of a guest whose head is there.
///
/// # Errors
/// [`ErrorKind::GuestFault`] where it is none that HTTP allows, as far as that is known before it begins.
pub(super) async fn respond(running: Running, head: http::Response<WasiBody>) -> Result<Response, InvokeError> {
    let (mut head, body) = head.into_parts();
    let report = running.report.clone();
    let framing = Framing::take(&mut head, running.terms.is_head).map_err(|failure| logged(failure, &report))?;
    let limit = running.terms.max.unwrap_or(u64::MAX);
    let (early, heard) = (VecDeque::new(), framing.is_unread);
    let answer = Answer { body, early, last: None, running, limit, framing, written: 0, heard, over: false };
    Ok(Response::of_parts(head.status, head.headers, answer.into_body().await?, report))
}

/// How many parts of a body are waited for before the response begins, as long as the guest makes them without waiting.
const EARLY: usize = 4;

/// How many turns of its guest a response is given to become whole, before it begins without.
const TURNS: usize = 8;

/// Whether a guest can go on at once.
#[derive(Default)]
struct Woken(AtomicBool);

impl Woken {
    fn take(&self) -> bool {
        self.0.swap(false, Relaxed)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

/// A response's body. Polling it runs the guest.
struct Answer {
    body: WasiBody,
    /// What was taken out of the body already.
    early: VecDeque<Frame<Bytes>>,
    /// The last of the bytes that the guest announced. The reader has them once the guest has written no more: with
    /// them, its client has a whole response.
    last: Option<Frame<Bytes>>,
    running: Running,
    limit: u64,
    framing: Framing,
    /// How many bytes the guest has written, of which nobody reads those of an unread body.
    written: u64,
    /// Whether the guest has said all that its client will hear.
    heard: bool,
    /// Whether the body has ended.
    over: bool,
}

impl Answer {
    /// The body, whole where the guest makes all of it without waiting: then its length is known, and it costs its reader
    /// nothing. A guest that waits is not waited for.
    async fn into_body(mut self) -> Result<Body, InvokeError> {
        let mut made = self.poll_whole(Waker::noop());
        if made.is_pending() {
            made = self.poll_longer().await;
        }
        match made {
            Poll::Ready(Ok(Some(bytes))) => {
                self.heard = true;
                let heard = if self.framing.is_unread { Bytes::new() } else { bytes };
                self.running.written = heard.len() as u64;
                Ok(Body::from(heard))
            }
            Poll::Ready(Err(failure)) => {
                self.heard = false;
                Err(failure)
            }
            // The caller need not wait for a body that nobody reads. The guest goes on with it when this is dropped.
            _ if self.framing.is_unread && self.running.terms.after_response == AfterResponse::Detach => {
                Ok(Body::empty())
            }
            _ => {
                let (due, report) = (self.running.terms.due, self.running.report.clone());
                Ok(streaming::body(self, due, report))
            }
        }
    }

    /// The same, after a few turns of the guest. Without them, more responses would leave in two pieces, and more faults
    /// would be found after the response has begun.
    async fn poll_longer(&mut self) -> Poll<Result<Option<Bytes>, InvokeError>> {
        let woken = Arc::<Woken>::default();
        let waker = Waker::from(Arc::clone(&woken));
        let mut made = self.poll_whole(&waker);
        for _ in 0..TURNS {
            // A tick has interrupted the guest, which does not wait for anything.
            if !(made.is_pending() && woken.take()) {
                break;
            }
            yield_now().await;
            made = self.poll_whole(&waker);
        }
        made
    }

    /// All of the body, if it is here and well; pending where the guest has to go on for it.
    fn poll_whole(&mut self, waker: &Waker) -> Poll<Result<Option<Bytes>, InvokeError>> {
        let mut context = Context::from_waker(waker);
        for _ in 0..EARLY {
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
                Some(Err(error)) if !self.framing.forgives(&error) => {
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

    /// The body, which has ended.
    fn take_whole(&self) -> Result<Option<Bytes>, InvokeError> {
        if self.running.failure.is_none() {
            self.framing.check_whole(self.early_size()).map_err(|failure| self.logged(failure))?;
        }
        Ok(whole(&self.early).filter(|bytes| self.is_fine(bytes)))
    }

    fn is_fine(&self, whole: &Bytes) -> bool {
        let running = &self.running;
        let over = running.guest.is_none() || running.terms.after_response == AfterResponse::Detach;
        over && self.running.failure.is_none() && (self.framing.is_unread || whole.len() as u64 <= self.limit)
    }

    fn poll_body(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, InvokeError>>> {
        if let Some(frame) = self.early.pop_front() {
            return Poll::Ready(Some(self.count(&frame).map(|()| frame)));
        }
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(self.count(&frame).map(|()| frame))),
            Poll::Ready(Some(Err(error))) if !self.framing.forgives(&error) => {
                Poll::Ready(Some(Err(self.failure(&error))))
            }
            // Without its guest, a body looks as if it had ended well.
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

    /// Why a body has ended with `error`.
    fn failure(&mut self, error: &wasmtime_wasi_http::Error) -> InvokeError {
        self.refusal(error, self.written).or_else(|| self.running.failure.take()).unwrap_or_else(|| broken(error))
    }

    /// The same, where it is a reason to withhold the part of the body that came before.
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

    /// The frame that is next for the reader, where there is one.
    fn pass(&mut self, frame: Frame<Bytes>) -> Option<Frame<Bytes>> {
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

impl Work for Answer {
    fn held(&self) -> Option<&Held> {
        self.running.guest.as_ref().map(|(_, held)| held)
    }

    fn pause(&mut self) {
        if let Some((guest, _)) = &mut self.running.guest {
            guest.pause();
        }
    }

    fn stop(mut self: Box<Self>) {
        self.heard = false;
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = InvokeError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, InvokeError>>> {
        loop {
            if self.over {
                return self.running.poll_rest(context).map(|()| None);
            }
            self.running.poll_guest(context);
            match ready!(self.poll_body(context)) {
                Some(Ok(frame)) => match self.pass(frame) {
                    Some(frame) => return Poll::Ready(Some(Ok(frame))),
                    None if self.framing.is_unread => {
                        // A guest that writes without end must not keep the thread for itself.
                        context.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    None => {}
                },
                None => {
                    (self.heard, self.over) = (true, true);
                    if let Some(last) = self.last.take() {
                        return Poll::Ready(Some(Ok(last)));
                    }
                }
                failed => return Poll::Ready(failed),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.over && (self.running.guest.is_none() || self.running.terms.after_response == AfterResponse::Detach)
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // A reader who leaves before the end stops the guest. One who has it all does not.
        if self.heard {
            let unread = self.framing.is_unread.then(|| mem::take(&mut self.body));
            self.running.detach(unread);
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

fn size(frame: &Frame<Bytes>) -> u64 {
    frame.data_ref().map_or(0, |data| data.len() as u64)
}

fn broken(error: &wasmtime_wasi_http::Error) -> InvokeError {
    InvokeError::new(ErrorKind::GuestFault, format!("the function broke its response off: {error}"))
}
