//! Hands lines out to workers, and returns their results in the order of the lines.

use std::{
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use super::reorder::{ReorderBuffer, Step, Task};
use crate::{call::Answer, outcome::Summary, progress::Progress};

/// While other events are running, a result waits this long for more results, and is written together with them. One
/// `write` for each result would take longer than most functions.
const LINGER: Duration = Duration::from_millis(1);

/// Connects the reading thread of a stream, its workers and the writer of its output, around a [`ReorderBuffer`].
///
/// - A result is handed to the writer at once if no other event is running, otherwise after [`LINGER`].
/// - Each kind of wait has a signal of its own, which is sent by the side that ends the wait.
pub(crate) struct Dispatcher {
    state: Mutex<State>,
    /// Wakes workers: there is a line, there is room for its result, or the stream has ended.
    work: Notify,
    /// Wakes the writer of the output.
    output: Notify,
    /// Wakes the reading thread: the last chunk is used up, or the stream is closed.
    room: Condvar,
}

struct State {
    buffer: ReorderBuffer,
    /// Whether a worker waits until results have left the buffer.
    crowded: bool,
    read_error: Option<io::Error>,
}

impl Dispatcher {
    pub(crate) fn new(max_line: usize, progress: Arc<Progress>) -> Self {
        let state = State { buffer: ReorderBuffer::new(max_line, progress), crowded: false, read_error: None };
        Self { state: Mutex::new(state), work: Notify::new(), output: Notify::new(), room: Condvar::new() }
    }

    /// For the reading thread: adds a chunk of input when the chunk before is used up. Returns false if the stream is
    /// closed.
    pub(crate) fn push(&self, chunk: Bytes) -> bool {
        let wanted = self.wait_for_room().buffer.push(chunk);
        self.work.notify_waiters();
        wanted
    }

    /// For the reading thread: the input has ended, or could not be read.
    pub(crate) fn end(&self, error: Option<io::Error>) {
        let mut state = self.wait_for_room();
        state.buffer.end();
        state.read_error = error;
        drop(state);
        self.work.notify_waiters();
        self.output.notify_one();
    }

    fn wait_for_room(&self) -> MutexGuard<'_, State> {
        let full = |state: &mut State| !state.buffer.has_room();
        self.room.wait_while(self.lock(), full).unwrap_or_else(PoisonError::into_inner)
    }

    /// For workers: waits for the next line; `None` at the end of the stream.
    pub(crate) async fn take(&self) -> Option<Task> {
        loop {
            // Before the check, so that no change between the check and the wait is missed.
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
        let step = state.buffer.step();
        state.crowded |= matches!(step, Step::Crowded);
        let has_room = state.buffer.has_room();
        drop(state);
        if has_room {
            self.room.notify_one();
        }
        step
    }

    /// For workers: adds the answer to a line.
    pub(crate) fn put(&self, sequence: u64, answer: Answer) {
        let mut state = self.lock();
        let had_output = state.buffer.has_output();
        let left = state.buffer.put(sequence, answer);
        let wakes_writer = left && (!had_output || state.buffer.is_worth_writing());
        let uncrowded = left && std::mem::take(&mut state.crowded);
        drop(state);
        if wakes_writer {
            self.output.notify_one();
        }
        if uncrowded {
            self.work.notify_waiters();
        }
    }

    /// For the writer: waits for the next bytes of the output; `None` when every line is answered. Nothing is lost when
    /// the future is dropped.
    pub(crate) async fn output(&self) -> Option<Vec<u8>> {
        let mut due = None;
        loop {
            let changed = self.output.notified();
            {
                let state = self.lock();
                let lingered = due.is_some_and(|due| Instant::now() >= due);
                if state.buffer.is_worth_writing() || (lingered && state.buffer.has_output()) {
                    return Some(self.take_output(state));
                }
                if state.buffer.is_finished() {
                    return None;
                }
                if state.buffer.has_output() {
                    due.get_or_insert_with(|| Instant::now() + LINGER);
                }
            }
            match due {
                Some(due) => drop(timeout_at(due, changed).await),
                None => changed.await,
            }
        }
    }

    fn take_output(&self, mut state: MutexGuard<'_, State>) -> Vec<u8> {
        let bytes = state.buffer.take_output();
        let uncrowded = std::mem::take(&mut state.crowded);
        drop(state);
        if uncrowded {
            self.work.notify_waiters();
        }
        bytes
    }

    /// Closes the stream early: no more lines are read or handed out.
    pub(crate) fn close(&self) {
        self.lock().buffer.close();
        self.room.notify_one();
        self.work.notify_waiters();
    }

    /// The summary so far, and why the input could not be read, if it could not.
    pub(crate) fn summary(&self) -> (Summary, Option<io::Error>) {
        let mut state = self.lock();
        (state.buffer.summary(), state.read_error.take())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No call that can panic leaves the state incomplete.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
