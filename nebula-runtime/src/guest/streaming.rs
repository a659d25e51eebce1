//! The body of a response that begins before its guest has ended. Reading the body runs the guest.
//!
//! Between two reads nothing runs the guest, so a slow reader can keep it beyond its timeout. A caller who queues for
//! the guest's place may then end the guest. So the guest is kept in a slot that both the reader and the caller can
//! reach.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http_body::Frame;
use tokio::time::Instant;

use super::CallGuards;
use crate::call::{Body, ErrorKind, Evictable, InvokeError, Outcome, Registration, ReportHandle};

/// A response's body that runs its guest.
///
/// # Contract
/// - Polling it runs the guest. Dropping it stops the guest; if the reader has the whole response, the guest may go on
///   in a task of its own.
/// - The value of [`GuestBody::guards`] is dropped as soon as the guest has ended.
pub(super) trait GuestBody: http_body::Body<Data = Bytes, Error = InvokeError> + Send + Unpin + 'static {
    /// The values that are kept for the guest. `None` when the guest has ended.
    fn guards(&self) -> Option<&CallGuards>;

    /// Notes that the guest waits for its reader until the next poll.
    fn pause(&mut self);

    /// Stops the guest, even if the reader has the whole response.
    fn stop(self: Box<Self>);
}

/// The response's body that polls `body`. The guest's time is over at `due`; `None` means never.
pub(super) fn body(body: impl GuestBody, due: Option<Instant>, report: ReportHandle) -> Body {
    let state = Mutex::new(State::Waiting(Box::new(body), None));
    Body::stream(StreamingBody {
        slot: Arc::new(Slot { state, report }),
        due,
        registrations: Vec::new(),
        is_over: false,
    })
}

/// Why a guest was ended for another call.
const EVICTED: &str = "the function was past its timeout, waiting for its reader, and another call needed its place";

type FrameResult = Result<Frame<Bytes>, InvokeError>;

struct StreamingBody<B: GuestBody> {
    slot: Arc<Slot<B>>,
    due: Option<Instant>,
    /// The registrations with the gates whose places the guest holds. Made when the guest first waits for its reader.
    registrations: Vec<Registration>,
    /// Whether the reader has the body's end or its error.
    is_over: bool,
}

struct Slot<B> {
    state: Mutex<State<B>>,
    report: ReportHandle,
}

enum State<B> {
    /// Nothing runs the guest. If the reader waits for it, the waker wakes the reader when the guest is ended.
    Waiting(Box<B>, Option<Waker>),
    /// The reader runs the guest.
    Running,
    /// The reader runs the guest, and must end it afterwards.
    MarkedForEviction,
    /// The guest is stopped: its place was needed, or its reader has left.
    Ended,
}

impl<B: GuestBody> Slot<B> {
    /// Takes the body out of the slot, to run it.
    fn take(&self) -> Option<Box<B>> {
        let mut state = self.lock();
        match std::mem::replace(&mut *state, State::Running) {
            State::Waiting(body, _) => Some(body),
            other => {
                *state = other;
                None
            }
        }
    }

    /// Puts the body back into the slot. An error returns it to the reader, who must end it.
    fn put(&self, body: Box<B>, reader: Option<Waker>) -> Result<(), Box<B>> {
        let mut state = self.lock();
        // A guest that has ended by itself holds no place any more, so the reader may read the rest of its output.
        if matches!(*state, State::MarkedForEviction) && body.guards().is_some() {
            *state = State::Ended;
            return Err(body);
        }
        *state = State::Waiting(body, reader);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State<B>> {
        // Every write replaces the whole state, so a poisoned lock is usable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops the guest for another call, and logs it.
    fn stop(&self, body: Box<B>) {
        body.stop();
        let id = self.report.update(|report| report.id.clone());
        self.report.finish(Outcome::Failed(ErrorKind::Timeout));
        // The log says it because the reader may never read again.
        tracing::warn!(%id, "{EVICTED}");
    }
}

impl<B: GuestBody> Evictable for Slot<B> {
    fn evict(&self) -> bool {
        let mut state = self.lock();
        let (body, reader) = match std::mem::replace(&mut *state, State::Ended) {
            State::Waiting(body, reader) => (body, reader),
            State::Running | State::MarkedForEviction => {
                *state = State::MarkedForEviction;
                return false;
            }
            State::Ended => return true,
        };
        // Ending a guest takes too long to do it under the lock.
        drop(state);
        self.stop(body);
        if let Some(reader) = reader {
            reader.wake();
        }
        true
    }
}

impl<B: GuestBody> StreamingBody<B> {
    /// Notes that the guest waits for its reader now, unless it has ended.
    fn pause(&mut self, body: &mut B) {
        let Some(guards) = body.guards() else { return };
        if let Some(due) = self.due.filter(|_| self.registrations.is_empty()) {
            let guest: Arc<dyn Evictable> = Arc::clone(&self.slot) as _;
            self.registrations = guards.register(due, &guest);
        }
        body.pause();
    }

    /// Ends a guest whose place another call needed while the guest ran. The reader still gets the output that the
    /// guest has just written. If the guest has just ended by itself, the reader gets that end.
    fn end(&mut self, body: Box<B>, polled: Poll<Option<FrameResult>>) -> Poll<Option<FrameResult>> {
        self.registrations.clear();
        match polled {
            Poll::Ready(None | Some(Err(_))) => {
                self.is_over = true;
                drop(body);
                polled
            }
            Poll::Ready(Some(Ok(_))) => {
                self.slot.stop(body);
                polled
            }
            Poll::Pending => {
                self.slot.stop(body);
                Poll::Ready(self.evicted())
            }
        }
    }

    /// The next item of the body after the guest was ended for another call: the error once, and then the end.
    fn evicted(&mut self) -> Option<FrameResult> {
        let has_error = std::mem::replace(&mut self.is_over, true);
        self.registrations.clear();
        (!has_error).then(|| Err(InvokeError::new(ErrorKind::Timeout, EVICTED)))
    }
}

impl<B: GuestBody> http_body::Body for StreamingBody<B> {
    type Data = Bytes;
    type Error = InvokeError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<FrameResult>> {
        let Some(mut body) = self.slot.take() else {
            return Poll::Ready(self.evicted());
        };
        let polled = Pin::new(&mut *body).poll_frame(context);
        if let Poll::Ready(Some(Ok(_))) = polled {
            self.pause(&mut body);
        }
        if body.guards().is_none() {
            self.registrations.clear();
        }
        // Only a registered guest can be ended for another call, so only its reader must be woken for that.
        let reader = (polled.is_pending() && !self.registrations.is_empty()).then(|| context.waker().clone());
        match self.slot.put(body, reader) {
            Ok(()) => polled,
            Err(marked) => self.end(marked, polled),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&*self.slot.lock(), State::Waiting(body, _) if body.is_end_stream())
    }
}

impl<B: GuestBody> Drop for StreamingBody<B> {
    fn drop(&mut self) {
        // Drops the guest now. Otherwise it would live until the last reference to the slot is dropped, and a caller
        // that queues for its place may hold one for a moment.
        let state = std::mem::replace(&mut *self.slot.lock(), State::Ended);
        drop(state);
    }
}
