//! Where the threads of a stream meet: lines go out to the workers, results come back and leave in the lines' order.

use std::{
    io,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use super::reorder::{ReorderBuffer, Step, Task};
use crate::{call::Answer, outcome::Summary};

/// How long a result waits for others to be written with while more are on their way. One `write` for each result would
/// cost more than most functions do.
const LINGER: Duration = Duration::from_millis(1);

/// The meeting place of one stream's reading thread, its workers and whoever writes its output, around an [`ReorderBuffer`].
///
/// - A result is given out for writing at once when nothing else is under way, and after [`LINGER`] otherwise.
/// - Nobody waits for something that has happened: each kind of wait has its own signal, sent by whoever ends it.
pub(crate) struct Dispatcher {
    state: Mutex<State>,
    /// Wakes workers: there is a line, or room for its result, or no more of either.
    work: Notify,
    /// Wakes whoever writes the output.
    output: Notify,
    /// Wakes the reading thread: the last chunk is used up, or no more is wanted.
    room: Condvar,
}

struct State {
    order: ReorderBuffer,
    /// A worker waits until results have left.
    crowded: bool,
    read_error: Option<io::Error>,
}

impl Dispatcher {
    pub(crate) fn new(max_line: usize) -> Self {
        let state = State { order: ReorderBuffer::new(max_line), crowded: false, read_error: None };
        Self { state: Mutex::new(state), work: Notify::new(), output: Notify::new(), room: Condvar::new() }
    }

    /// For the reading thread: adds input once the input before is used up. Returns whether more is wanted.
    pub(crate) fn push(&self, chunk: Bytes) -> bool {
        let wanted = self.wait_for_room().order.push(chunk);
        self.work.notify_waiters();
        wanted
    }

    /// For the reading thread: no more input comes, because it has ended or could not be read.
    pub(crate) fn end(&self, error: Option<io::Error>) {
        let mut state = self.wait_for_room();
        state.order.end();
        state.read_error = error;
        drop(state);
        self.work.notify_waiters();
        self.output.notify_one();
    }

    fn wait_for_room(&self) -> MutexGuard<'_, State> {
        let full = |state: &mut State| !state.order.has_room();
        self.room.wait_while(self.lock(), full).unwrap_or_else(PoisonError::into_inner)
    }

    /// For workers: the next line, or `None` when there are no more.
    pub(crate) async fn take(&self) -> Option<Task> {
        loop {
            // Made before the look, so that a change between the look and the wait is not missed.
            let changed = self.work.notified();
            match self.step() {
                Step::Task(task) => return Some(task),
                Step::Starved | Step::Crowded => changed.await,
                Step::End => {
                    self.output.notify_one();
                    return None;
                }
            }
        }
    }

    fn step(&self) -> Step {
        let mut state = self.lock();
        let step = state.order.step();
        state.crowded |= matches!(step, Step::Crowded);
        let has_room = state.order.has_room();
        drop(state);
        if has_room {
            self.room.notify_one();
        }
        step
    }

    /// For workers: the answer to a line that was taken.
    pub(crate) fn put(&self, sequence: u64, answer: Answer) {
        let mut state = self.lock();
        let had_output = state.order.has_output();
        let left = state.order.put(sequence, answer);
        let news = left && (!had_output || state.order.is_worth_writing());
        let uncrowded = left && std::mem::take(&mut state.crowded);
        drop(state);
        if news {
            self.output.notify_one();
        }
        if uncrowded {
            self.work.notify_waiters();
        }
    }

    /// For whoever writes the output: the next bytes of it, or `None` when every line is answered. Nothing is lost when
    /// the future is dropped.
    pub(crate) async fn output(&self) -> Option<Vec<u8>> {
        let mut due = None;
        loop {
            let changed = self.output.notified();
            {
                let state = self.lock();
                let lingered = due.is_some_and(|due| Instant::now() >= due);
                if state.order.is_worth_writing() || (lingered && state.order.has_output()) {
                    return Some(self.ship(state));
                }
                if state.order.is_finished() {
                    return None;
                }
                if state.order.has_output() {
                    due.get_or_insert_with(|| Instant::now() + LINGER);
                }
            }
            match due {
                Some(due) => drop(timeout_at(due, changed).await),
                None => changed.await,
            }
        }
    }

    fn ship(&self, mut state: MutexGuard<'_, State>) -> Vec<u8> {
        let bytes = state.order.take_output();
        let uncrowded = std::mem::take(&mut state.crowded);
        drop(state);
        if uncrowded {
            self.work.notify_waiters();
        }
        bytes
    }

    /// Ends the stream early: no more lines are read or handed out.
    pub(crate) fn close(&self) {
        self.lock().order.close();
        self.room.notify_one();
        self.work.notify_waiters();
    }

    /// What has been answered so far, and why reading ended where that was a failure.
    pub(crate) fn summary(&self) -> (Summary, Option<io::Error>) {
        let mut state = self.lock();
        (state.order.summary(), state.read_error.take())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No invariant of the state spans a call that can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
