//! The epoch clock: how its thread learns, without a lock, whether guests run and how fast to tick for them.

use std::time::Duration;

use crate::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    thread::{self, Thread},
};

/// The time between two ticks while a long-running guest runs. A guest holds its thread for at most this long before
/// other tasks run.
///
/// With one millisecond, eight spinning guests on two threads delay every other task by four milliseconds. With ten, it
/// would be forty.
const TICK: Duration = Duration::from_millis(1);

/// The time between two ticks while no long-running guest runs. A tick costs processor time: with one each millisecond,
/// a server of short calls answers five per cent fewer of them.
const FIRST_TICK: Duration = Duration::from_millis(4);

/// After so many ticks without a guest, the clock stops, so that an idle process uses no processor time.
const IDLE_TICKS: u32 = 12;

/// The state that the clock's thread and the guests share.
pub(super) struct Clock {
    pauses: Pauses,
    guests: AtomicUsize,
    /// How many of the guests are long-running: they were already running at some tick.
    long_running: AtomicUsize,
    stopped: AtomicBool,
    ended: AtomicBool,
}

/// Makes the clock tick for one guest until it is dropped.
pub(crate) struct TickGuard {
    clock: Arc<Clock>,
    is_long_running: bool,
}

/// The time between two ticks.
struct Pauses {
    /// While a long-running guest runs.
    long_running: Duration,
    /// While no long-running guest runs.
    others: Duration,
}

impl Default for Clock {
    fn default() -> Self {
        Self::every(None)
    }
}

impl Clock {
    /// A clock that ticks at each `interval`, whatever runs; without one, as often as guests need it.
    pub(super) fn every(interval: Option<Duration>) -> Self {
        let pauses = Pauses { long_running: interval.unwrap_or(TICK), others: interval.unwrap_or(FIRST_TICK) };
        Self {
            pauses,
            guests: AtomicUsize::new(0),
            long_running: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        }
    }

    /// Runs the clock on this thread until it is ended.
    pub(super) fn run(&self, tick: impl Fn()) {
        let mut idle = 0;
        while !self.ended.load(SeqCst) {
            idle = if self.guests.load(SeqCst) == 0 { idle + 1 } else { 0 };
            if idle > IDLE_TICKS {
                self.stop();
                idle = 0;
            }
            let long_running = self.long_running.load(SeqCst) > 0;
            // Parked and not asleep, so that `end` can wake the thread at once.
            thread::park_timeout(if long_running { self.pauses.long_running } else { self.pauses.others });
            tick();
        }
    }

    /// Waits until there is a guest. This sets the flag and then reads the count; a guest increments the count and then
    /// reads the flag. So at least one of the two sees the other.
    fn stop(&self) {
        self.stopped.store(true, SeqCst);
        while self.guests.load(SeqCst) == 0 && !self.ended.load(SeqCst) {
            thread::park();
        }
        self.stopped.store(false, SeqCst);
    }

    /// Makes the clock, which runs on `thread`, tick for a guest until the result is dropped.
    pub(super) fn tick_for_guest(self: &Arc<Self>, thread: Option<&Thread>) -> TickGuard {
        self.guests.fetch_add(1, SeqCst);
        if self.stopped.load(SeqCst)
            && let Some(thread) = thread
        {
            thread.unpark();
        }
        TickGuard { clock: Arc::clone(self), is_long_running: false }
    }

    /// Ends the clock, which runs on `thread`.
    pub(super) fn end(&self, thread: &Thread) {
        self.ended.store(true, SeqCst);
        thread.unpark();
    }
}

impl TickGuard {
    /// Whether other guests run beside this one.
    pub(super) fn has_other_guests(&self) -> bool {
        self.clock.guests.load(SeqCst) > 1
    }

    /// Notes that the guest was running when the clock ticked: it is long-running, and the next ticks come faster.
    pub(super) fn note_tick(&mut self) {
        if !self.is_long_running {
            self.is_long_running = true;
            self.clock.long_running.fetch_add(1, SeqCst);
        }
    }
}

impl Drop for TickGuard {
    fn drop(&mut self) {
        if self.is_long_running {
            self.clock.long_running.fetch_sub(1, SeqCst);
        }
        self.clock.guests.fetch_sub(1, SeqCst);
    }
}
