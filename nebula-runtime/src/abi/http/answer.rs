//! A guest's response on its way out.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http_body::{Body as _, Frame};
use wasmtime_wasi_http::WasiBody;

use super::running::Running;
use crate::{
    Body, Ending, ErrorKind, InvokeError, Response,
    abi::{
        Held,
        streaming::{self, Work},
    },
};

/// The response of a guest whose head is there.
pub(super) async fn respond(running: Running, head: http::Response<WasiBody>) -> Response {
    let (parts, body) = head.into_parts();
    let report = running.report.clone();
    let announced = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let (limit, heard) = (running.terms.max.unwrap_or(u64::MAX), running.terms.bodiless);
    let answer = Answer { body, early: VecDeque::new(), running, limit, announced, heard, over: false };
    Response::of_parts(parts.status, parts.headers, answer.into_body().await, report)
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
            let Some(course) = self.running.course().filter(|_| made.is_pending()) else { break };
            course.turn().await;
            made = self.poll_whole();
        }
        match made {
            Poll::Ready(Some(bytes)) => {
                self.running.written = bytes.len() as u64;
                self.heard = true;
                Body::from(bytes)
            }
            _ => {
                let (due, report) = (self.running.terms.due, self.running.report.clone());
                streaming::body(self, due, report)
            }
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
        let over = running.guest.is_none() || running.terms.ending == Ending::WithBody;
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

impl Work for Answer {
    fn held(&self) -> Option<&Held> {
        let own = self.running.guest.as_ref().map(|(_, held)| held);
        own.or_else(|| self.running.seat.as_ref()?.held())
    }

    fn pause(&mut self) {
        if let Some((guest, _)) = &mut self.running.guest {
            guest.pause();
        }
        if let Some(seat) = &mut self.running.seat {
            seat.pause();
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
        if let Some(seat) = &mut self.running.seat {
            seat.resume();
        }
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
