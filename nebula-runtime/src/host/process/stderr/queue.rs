//! A queue in front of a target that may be slow to write to, or fail.

use std::{
    collections::VecDeque,
    io, mem,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

/// How many bytes of lines may wait to be written. A busy server logs about this much while its thread is not
/// scheduled.
pub(super) const LINES_ROOM: usize = 1 << 20;

/// How many bytes of guests' output may wait to be written. Beyond that, guests wait.
pub(super) const OUTPUT_ROOM: usize = 64 << 10;

/// The target that a queue's thread writes to.
///
/// # Contract
/// - Only one thread calls these methods at a time. It does not hold the queue's lock, so each call may take any time.
pub(super) trait Target: Sync + 'static {
    /// Writes some of these bytes, as [`io::Write::write`] does.
    fn write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Reports that so many lines were lost, by putting a line into the queue.
    fn report_lost(&self, lines: u64);
}

/// A queue and its thread, which runs until the process ends.
pub(super) struct Queue<T> {
    pub(super) target: T,
    lost: AtomicU64,
    state: Mutex<State>,
    /// The queue's thread waits here for entries.
    has_entries: Condvar,
    /// Other threads wait here until an entry is written or the queue is empty.
    progress: Condvar,
}

struct State {
    entries: VecDeque<Entry>,
    /// How many bytes of lines have not been written yet.
    line_bytes: usize,
    /// How many bytes of guests' output have not been written yet.
    output_bytes: usize,
    /// How many entries have ever been put into the queue.
    queued: u64,
    /// How many of these have been written or lost.
    done: u64,
    /// How many lines were lost and not yet reported.
    unreported: u64,
    /// Whether the last write failed.
    failing: bool,
    /// Whether the last line was written only in part, so that the next entry must begin with a line end.
    torn: bool,
    thread: Thread,
    /// How many threads wait until an entry is written.
    blocked: usize,
    /// Guests that wait for room.
    guests: Vec<Waker>,
    /// Tasks that wait until an entry is written.
    flushing: Vec<Waker>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Thread {
    NotStarted,
    /// It waits for entries.
    Idle,
    /// It writes, or it will check for entries before it waits again.
    Busy,
}

struct Entry {
    bytes: Vec<u8>,
    is_line: bool,
}

impl<T> Queue<T> {
    pub(super) const fn new(target: T) -> Self {
        let state = State {
            entries: VecDeque::new(),
            line_bytes: 0,
            output_bytes: 0,
            queued: 0,
            done: 0,
            unreported: 0,
            failing: false,
            torn: false,
            thread: Thread::NotStarted,
            blocked: 0,
            guests: Vec::new(),
            flushing: Vec::new(),
        };
        Self {
            target,
            lost: AtomicU64::new(0),
            state: Mutex::new(state),
            has_entries: Condvar::new(),
            progress: Condvar::new(),
        }
    }

    /// How many lines have been lost so far.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }

    /// The mark of the last entry that is in the queue now, for [`Queue::poll_written`].
    pub(super) fn mark(&self) -> u64 {
        self.lock().queued
    }

    /// Waits until all entries up to `mark` are written or lost.
    pub(super) fn poll_written(&self, mark: u64, context: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        let written = state.done >= mark;
        wait(&mut state.flushing, written, context)
    }

    /// Blocks until all entries up to `mark` are written or lost.
    pub(super) fn wait_written(&self, mark: u64) {
        let mut state = self.lock();
        state.blocked += 1;
        let wait = self.progress.wait_while(state, |state| state.done < mark);
        wait.unwrap_or_else(PoisonError::into_inner).blocked -= 1;
    }

    /// Blocks until the queue is empty and all lost lines are reported, but not longer than `timeout`.
    pub(super) fn flush(&self, timeout: Duration) {
        let wait = self.progress.wait_timeout_while(self.lock(), timeout, |state| state.thread == Thread::Busy);
        drop(wait.unwrap_or_else(PoisonError::into_inner));
    }

    /// Whether a guest may write.
    pub(super) fn has_room(&self) -> bool {
        self.lock().has_room()
    }

    /// Waits until a guest may write.
    pub(super) fn poll_room(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        let has_room = state.has_room();
        wait(&mut state.guests, has_room, context)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it has the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Target> Queue<T> {
    /// Starts the thread. Without this, the first entry starts it.
    pub(super) fn start(&'static self) {
        self.wake_thread(self.lock());
    }

    /// Puts a line at the end. The line is lost if there is no room.
    pub(super) fn line(&'static self, line: &[u8]) {
        let mut state = self.lock();
        if state.line_bytes.saturating_add(line.len()) > LINES_ROOM {
            return self.lose(&mut state);
        }
        state.push(Entry { bytes: line.to_vec(), is_line: true });
        self.wake_thread(state);
    }

    /// Puts a line at the end, even if there is no room, because such lines are few.
    pub(super) fn note(&'static self, line: Vec<u8>) {
        let mut state = self.lock();
        state.push(Entry { bytes: line, is_line: true });
        self.wake_thread(state);
    }

    /// Puts a guest's output at the end, even if there is no room, because the guest has already been told that there
    /// is. Several guests may have been told so at once; then the bound is exceeded by at most one write of each.
    pub(super) fn output(&'static self, bytes: &[u8]) {
        let mut state = self.lock();
        match state.entries.back_mut() {
            // One system call writes both.
            Some(Entry { bytes: last, is_line: false }) => {
                last.extend_from_slice(bytes);
                state.output_bytes += bytes.len();
            }
            _ => state.push(Entry { bytes: bytes.to_vec(), is_line: false }),
        }
        self.wake_thread(state);
    }

    fn lose(&self, state: &mut State) {
        self.lost.fetch_add(1, Relaxed);
        state.unreported += 1;
    }

    /// Makes sure that the thread runs and writes the entries of the queue.
    fn wake_thread(&'static self, mut state: MutexGuard<'_, State>) {
        match mem::replace(&mut state.thread, Thread::Busy) {
            Thread::Busy => {}
            Thread::Idle => self.has_entries.notify_one(),
            Thread::NotStarted => {
                drop(state);
                if thread::Builder::new().name("stderr".to_owned()).spawn(|| self.run()).is_err() {
                    // The system cannot start a thread, so this thread writes the entries.
                    self.drain().thread = Thread::NotStarted;
                    self.progress.notify_all();
                }
            }
        }
    }

    /// Ends the queue's thread when it has written everything. The next entry starts another.
    pub(super) fn end_thread(&self) {
        let busy = self.progress.wait_while(self.lock(), |state| state.thread == Thread::Busy);
        let mut state = busy.unwrap_or_else(PoisonError::into_inner);
        state.thread = Thread::NotStarted;
        self.has_entries.notify_one();
    }

    fn run(&self) {
        loop {
            let mut state = self.drain();
            state.thread = Thread::Idle;
            self.progress.notify_all();
            let wait = self.has_entries.wait_while(state, |state| state.thread == Thread::Idle);
            if wait.unwrap_or_else(PoisonError::into_inner).thread == Thread::NotStarted {
                return;
            }
        }
    }

    /// Writes until the queue is empty and all lost lines are reported.
    fn drain(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        loop {
            if let Some(entry) = state.entries.pop_front() {
                state = self.write_entry(state, &entry);
            } else if let Some(lines) = state.take_unreported() {
                drop(state);
                self.target.report_lost(lines);
                state = self.lock();
            } else {
                return state;
            }
        }
    }

    fn write_entry<'a>(&'a self, mut state: MutexGuard<'a, State>, entry: &Entry) -> MutexGuard<'a, State> {
        let torn = state.torn;
        drop(state);
        let written = self.write(entry, torn);
        state = self.lock();
        state.finish(entry, &written);
        if written.is_err() && entry.is_line {
            self.lose(&mut state);
        }
        let waiting = state.take_waiting();
        if !waiting.is_empty() {
            // Without the lock, because a task that is woken may put an entry into the queue.
            drop(state);
            waiting.into_iter().for_each(Waker::wake);
            state = self.lock();
        }
        if state.blocked > 0 {
            self.progress.notify_all();
        }
        state
    }

    /// Writes an entry. After a `torn` line, the entry begins with a line end.
    fn write(&self, entry: &Entry, torn: bool) -> Result<(), Failed> {
        if torn {
            self.write_all(b"\n").map_err(|_| Failed { torn })?;
        }
        self.write_all(&entry.bytes).map_err(|written| Failed { torn: written > 0 && entry.is_line })
    }

    /// Writes all of `bytes`. An error is the number of bytes that were written before it.
    fn write_all(&self, bytes: &[u8]) -> Result<(), usize> {
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            match self.target.write(rest) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => return Err(written),
                Ok(more) => written += more,
            }
        }
        Ok(())
    }
}

/// An entry was not written, or only in part.
struct Failed {
    /// Whether the target now ends with a part of a line.
    torn: bool,
}

impl State {
    fn has_room(&self) -> bool {
        self.output_bytes < OUTPUT_ROOM
    }

    fn push(&mut self, entry: Entry) {
        *self.bytes_of(&entry) += entry.bytes.len();
        self.queued += 1;
        self.entries.push_back(entry);
    }

    fn finish(&mut self, entry: &Entry, written: &Result<(), Failed>) {
        *self.bytes_of(entry) -= entry.bytes.len();
        self.done += 1;
        self.failing = written.is_err();
        self.torn = written.as_ref().is_err_and(|failed| failed.torn);
    }

    fn bytes_of(&mut self, entry: &Entry) -> &mut usize {
        if entry.is_line { &mut self.line_bytes } else { &mut self.output_bytes }
    }

    /// How many lost lines to report now. None are reported while writing fails.
    fn take_unreported(&mut self) -> Option<u64> {
        (self.unreported > 0 && !self.failing).then(|| mem::take(&mut self.unreported))
    }

    /// The tasks to wake after a write. Each checks again whether it must wait.
    fn take_waiting(&mut self) -> Vec<Waker> {
        let mut waiting = mem::take(&mut self.flushing);
        if self.has_room() {
            waiting.append(&mut self.guests);
        }
        waiting
    }
}

/// Returns `Ready` if `is_ready`. Otherwise it adds the task's waker to `waiting`.
fn wait(waiting: &mut Vec<Waker>, is_ready: bool, context: &Context<'_>) -> Poll<()> {
    if is_ready {
        return Poll::Ready(());
    }
    if !waiting.iter().any(|waiter| waiter.will_wake(context.waker())) {
        waiting.push(context.waker().clone());
    }
    Poll::Pending
}

#[cfg(test)]
mod tests;
