//! The body of a response that began before its guest had ended: reading it is what runs the guest.
//!
//! Between two reads nobody runs the guest, and it may wait for its reader beyond its own timeout. Then a caller who
//! queues for its place may end it, so it lives in a slot that both can reach.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http_body::Frame;
use tokio::time::Instant;

use super::Held;
use crate::call::{Body, ErrorKind, Evictable, InvokeError, Outcome, Registration, ReportHandle};

/// A response's body and the guest that makes it.
///
/// # Contract
/// - Polling it runs the guest. Dropping it stops the guest, or lets it go on by itself where its reader has all of it.
/// - What [`Work::held`] gives is dropped as soon as the guest has ended.
pub(super) trait Work: http_body::Body<Data = Bytes, Error = InvokeError> + Send + Unpin + 'static {
    /// What is kept for the guest; `None` once it has ended.
    fn held(&self) -> Option<&Held>;

    /// Notes that the guest waits for its reader until the next poll.
    fn pause(&mut self);

    /// Stops the guest, whatever its reader has.
    fn stop(self: Box<Self>);
}

/// The body of `work`, whose guest is past its time from `due` on, if that ever comes.
pub(super) fn body(work: impl Work, due: Option<Instant>, report: ReportHandle) -> Body {
    let state = Mutex::new(State::Waiting(Box::new(work), None));
    Body::stream(Streaming { slot: Arc::new(Slot { state, report }), due, registrations: Vec::new(), is_over: false })
}

/// Why a guest was ended for another call.
const EVICTED: &str = "the function was past its timeout, waiting for its reader, and another call needed its place";

type FrameResult = Result<Frame<Bytes>, InvokeError>;

struct Streaming<W: Work> {
    slot: Arc<Slot<W>>,
    due: Option<Instant>,
    /// With the gates whose places the guest holds. Made when it first waits for its reader.
    registrations: Vec<Registration>,
    is_over: bool,
}

struct Slot<W> {
    state: Mutex<State<W>>,
    report: ReportHandle,
}

enum State<W> {
    /// Nobody runs the guest. The reader is woken when the guest is ended, if the reader waits for it.
    Waiting(Box<W>, Option<Waker>),
    /// Its reader runs it.
    Running,
    /// Its reader runs it, and is to end it afterwards.
    Unwanted,
    /// It is gone.
    Ended,
}

impl<W: Work> Slot<W> {
    /// Takes the work out, to run it.
    fn take(&self) -> Option<Box<W>> {
        let mut state = self.lock();
        match std::mem::replace(&mut *state, State::Running) {
            State::Waiting(work, _) => Some(work),
            other => {
                *state = other;
                None
            }
        }
    }

    /// Puts the work back; gives it back where it is to be ended.
    fn put(&self, work: Box<W>, reader: Option<Waker>) -> Result<(), Box<W>> {
        let mut state = self.lock();
        // A guest that has ended by itself has no place any more: its reader may have what it has written.
        if matches!(*state, State::Unwanted) && work.held().is_some() {
            *state = State::Ended;
            return Err(work);
        }
        *state = State::Waiting(work, reader);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State<W>> {
        // Every write is whole: there is nothing that a panic could break.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops the guest for another call, and says so.
    fn stop(&self, work: Box<W>) {
        work.stop();
        let id = self.report.update(|report| report.id.clone());
        self.report.finish(Outcome::Failed(ErrorKind::Timeout));
        // Its reader may never come back to be told.
        tracing::warn!(%id, "{EVICTED}");
    }
}

impl<W: Work> Evictable for Slot<W> {
    fn evict(&self) -> bool {
        let mut state = self.lock();
        let (work, reader) = match std::mem::replace(&mut *state, State::Ended) {
            State::Waiting(work, reader) => (work, reader),
            State::Running | State::Unwanted => {
                *state = State::Unwanted;
                return false;
            }
            State::Ended => return true,
        };
        // Ending a guest takes too long to be done under a lock.
        drop(state);
        self.stop(work);
        if let Some(reader) = reader {
            reader.wake();
        }
        true
    }
}

impl<W: Work> Streaming<W> {
    /// Notes that the guest waits for its reader now, if it has not ended.
    fn pause(&mut self, work: &mut W) {
        let Some(held) = work.held() else { return };
        if let Some(due) = self.due.filter(|_| self.registrations.is_empty()) {
            let guest: Arc<dyn Evictable> = Arc::clone(&self.slot) as _;
            self.registrations = held.register(due, &guest);
        }
        work.pause();
    }

    /// Ends a guest whose place another call needed while the guest ran. What it has written by then is still read, and
    /// if it has just ended by itself, that is its end.
    fn end(&mut self, work: Box<W>, polled: Poll<Option<FrameResult>>) -> Poll<Option<FrameResult>> {
        self.registrations.clear();
        match polled {
            Poll::Ready(None | Some(Err(_))) => {
                self.is_over = true;
                drop(work);
                polled
            }
            Poll::Ready(Some(Ok(_))) => {
                self.slot.stop(work);
                polled
            }
            Poll::Pending => {
                self.slot.stop(work);
                Poll::Ready(self.evicted())
            }
        }
    }

    /// What there is to read once the guest was ended for another call.
    fn evicted(&mut self) -> Option<FrameResult> {
        let is_told = std::mem::replace(&mut self.is_over, true);
        self.registrations.clear();
        (!is_told).then(|| Err(InvokeError::new(ErrorKind::Timeout, EVICTED)))
    }
}

impl<W: Work> http_body::Body for Streaming<W> {
    type Data = Bytes;
    type Error = InvokeError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<FrameResult>> {
        let Some(mut work) = self.slot.take() else {
            return Poll::Ready(self.evicted());
        };
        let polled = Pin::new(&mut *work).poll_frame(context);
        if let Poll::Ready(Some(Ok(_))) = polled {
            self.pause(&mut work);
        }
        if work.held().is_none() {
            self.registrations.clear();
        }
        // A reader who waits for a guest that nobody can end needs no waking for that.
        let reader = (polled.is_pending() && !self.registrations.is_empty()).then(|| context.waker().clone());
        match self.slot.put(work, reader) {
            Ok(()) => polled,
            Err(unwanted) => self.end(unwanted, polled),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&*self.slot.lock(), State::Waiting(work, _) if work.is_end_stream())
    }
}

impl<W: Work> Drop for Streaming<W> {
    fn drop(&mut self) {
        // Not with the last reference to the slot, which a caller that queues for its place may have for a moment.
        let state = std::mem::replace(&mut *self.slot.lock(), State::Ended);
        drop(state);
    }
}
