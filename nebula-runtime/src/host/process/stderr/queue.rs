//! A queue in front of something that may be slow to write, or fail.

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

/// How many bytes of lines may wait to be written: as many as a busy server logs while its thread is not scheduled.
pub(super) const LINES_ROOM: usize = 1 << 20;

/// How many bytes of output may wait before guests do.
pub(super) const OUTPUT_ROOM: usize = 64 << 10;

/// What a queue's thread writes to.
///
/// # Contract
/// - Only one thread writes at a time, and without the queue's lock: both may take as long as they take.
pub(super) trait Target: Sync + 'static {
    /// Writes some of these bytes, as [`io::Write::write`] does.
    fn write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Tells that so many lines were lost, by a further line.
    fn tell_lost(&self, lines: u64);
}

/// A queue and its thread, which goes on for as long as the process.
pub(super) struct Queue<T> {
    target: T,
    lost: AtomicU64,
    state: Mutex<State>,
    /// The thread waits for it.
    has_entries: Condvar,
    /// Threads wait for it, for something to be written or for the queue to be empty.
    progress: Condvar,
}

struct State {
    entries: VecDeque<Entry>,
    /// How many bytes of lines have not been written yet, and how many of guests' output.
    line_bytes: usize,
    output_bytes: usize,
    /// How many entries there have ever been, and how many of them are done with.
    queued: u64,
    done: u64,
    /// How many lines were lost that nobody has been told of.
    untold: u64,
    /// Whether the last write failed.
    failing: bool,
    /// Whether only a part of a line has been written, so that the next one needs a beginning.
    torn: bool,
    thread: Thread,
    /// How many threads wait for something to be written.
    blocked: usize,
    /// Guests that wait for room.
    guests: Vec<Waker>,
    /// Tasks that wait for something to be written.
    flushing: Vec<Waker>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Thread {
    NotStarted,
    /// It waits for entries.
    Idle,
    /// It writes, or will look for entries.
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
            untold: 0,
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

    /// What [`Queue::poll_written`] is to wait for: all that is in the queue now.
    pub(super) fn mark(&self) -> u64 {
        self.lock().queued
    }

    /// Waits until all up to `mark` is written or lost.
    pub(super) fn poll_written(&self, mark: u64, context: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        let written = state.done >= mark;
        wait(&mut state.flushing, written, context)
    }

    /// The same, on a thread that has nothing else to do.
    pub(super) fn wait_written(&self, mark: u64) {
        let mut state = self.lock();
        state.blocked += 1;
        let wait = self.progress.wait_while(state, |state| state.done < mark);
        wait.unwrap_or_else(PoisonError::into_inner).blocked -= 1;
    }

    /// Waits until the queue is empty and all is told, for so long at most.
    pub(super) fn flush(&self, patience: Duration) {
        let wait = self.progress.wait_timeout_while(self.lock(), patience, |state| state.thread == Thread::Busy);
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
    /// Starts the thread, as the first entry would.
    pub(super) fn start(&'static self) {
        self.write_on(self.lock());
    }

    /// Puts a line at the end, or loses it where there is no room.
    pub(super) fn line(&'static self, line: &[u8]) {
        let mut state = self.lock();
        if state.line_bytes.saturating_add(line.len()) > LINES_ROOM {
            return self.lose(&mut state);
        }
        state.push(Entry { bytes: line.to_vec(), is_line: true });
        self.write_on(state);
    }

    /// Puts a line at the end, also where there is no room: of such lines there are few.
    pub(super) fn note(&'static self, line: Vec<u8>) {
        let mut state = self.lock();
        state.push(Entry { bytes: line, is_line: true });
        self.write_on(state);
    }

    /// Puts a guest's output at the end, also where there is no room: the guest was told that there is. Several guests may
    /// have been told at once, so the bound is exceeded by one write of each.
    pub(super) fn output(&'static self, bytes: &[u8]) {
        let mut state = self.lock();
        match state.entries.back_mut() {
            // It is written with what stands before it, with one call of the system.
            Some(Entry { bytes: last, is_line: false }) => {
                last.extend_from_slice(bytes);
                state.output_bytes += bytes.len();
            }
            _ => state.push(Entry { bytes: bytes.to_vec(), is_line: false }),
        }
        self.write_on(state);
    }

    fn lose(&self, state: &mut State) {
        self.lost.fetch_add(1, Relaxed);
        state.untold += 1;
    }

    /// Makes sure that what has been put into the queue is written.
    fn write_on(&'static self, mut state: MutexGuard<'_, State>) {
        match mem::replace(&mut state.thread, Thread::Busy) {
            Thread::Busy => {}
            Thread::Idle => self.has_entries.notify_one(),
            Thread::NotStarted => {
                drop(state);
                if thread::Builder::new().name("stderr".to_owned()).spawn(|| self.run()).is_err() {
                    // The system has no thread to spare. Then it is written here, as it would be without a queue.
                    self.drain().thread = Thread::NotStarted;
                    self.progress.notify_all();
                }
            }
        }
    }

    fn run(&self) {
        loop {
            let mut state = self.drain();
            state.thread = Thread::Idle;
            self.progress.notify_all();
            let wait = self.has_entries.wait_while(state, |state| state.thread == Thread::Idle);
            drop(wait.unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Writes until the queue is empty and all is told.
    fn drain(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        loop {
            if let Some(entry) = state.entries.pop_front() {
                state = self.write_entry(state, &entry);
            } else if let Some(lines) = state.take_untold() {
                drop(state);
                self.target.tell_lost(lines);
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
            // Without the lock: what is woken may put something into the queue.
            drop(state);
            waiting.into_iter().for_each(Waker::wake);
            state = self.lock();
        }
        if state.blocked > 0 {
            self.progress.notify_all();
        }
        state
    }

    /// Writes an entry, on a line of its own where a part of another line stands before it.
    fn write(&self, entry: &Entry, torn: bool) -> Result<(), Failed> {
        if torn {
            self.write_all(b"\n").map_err(|_| Failed { torn })?;
        }
        self.write_all(&entry.bytes).map_err(|written| Failed { torn: written > 0 && entry.is_line })
    }

    /// Writes all of `bytes`, or says how many it has written.
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

/// An entry could not be written, or not all of it.
struct Failed {
    /// Whether a part of a line stands there now.
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

    /// How many lines were lost that are to be told of now: where writing fails, there is no point yet.
    fn take_untold(&mut self) -> Option<u64> {
        (self.untold > 0 && !self.failing).then(|| mem::take(&mut self.untold))
    }

    /// The tasks that may have waited for a write that has just ended. Each looks again, and may wait on.
    fn take_waiting(&mut self) -> Vec<Waker> {
        let mut waiting = mem::take(&mut self.flushing);
        if self.has_room() {
            waiting.append(&mut self.guests);
        }
        waiting
    }
}

/// Lets a task wait where it has to: its waker joins those that are waiting.
fn wait(waiting: &mut Vec<Waker>, is_over: bool, context: &Context<'_>) -> Poll<()> {
    if is_over {
        return Poll::Ready(());
    }
    if !waiting.iter().any(|waiter| waiter.will_wake(context.waker())) {
        waiting.push(context.waker().clone());
    }
    Poll::Pending
}

#[cfg(test)]
mod tests;
