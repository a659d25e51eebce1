//! When the epoch clock ticks, and when it stops: what its thread and the guests tell each other without a lock.

use std::time::Duration;

use crate::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    thread::{self, Thread},
};

/// The time between two ticks while there is a guest that a tick has met: the longest that it holds a thread before others
/// have their turn.
///
/// One millisecond: eight spinning guests on two threads then delay everyone else by four. Ten would delay them by forty.
const TICK: Duration = Duration::from_millis(1);

/// The time between two ticks while no guest has lasted until one. A tick takes a processor away from the work: with
/// one each millisecond, a server of brief guests answers a twentieth less.
const FIRST_TICK: Duration = Duration::from_millis(4);

/// Ticks without a guest after which the clock stops, so that an idle process costs nothing.
const IDLE_TICKS: u32 = 12;

/// What the clock's thread and the guests know of each other.
#[derive(Default)]
pub(super) struct Clock {
    guests: AtomicUsize,
    /// Those of the guests that a tick has met.
    lasting: AtomicUsize,
    stopped: AtomicBool,
    ended: AtomicBool,
}

/// A guest that wants ticks, as long as this lives.
pub(crate) struct Ticking {
    clock: Arc<Clock>,
    lasts: bool,
}

impl Clock {
    /// Runs the clock on this thread until it is ended.
    pub(super) fn run(&self, tick: impl Fn()) {
        let mut idle = 0;
        while !self.ended.load(SeqCst) {
            idle = if self.guests.load(SeqCst) == 0 { idle + 1 } else { 0 };
            if idle > IDLE_TICKS {
                self.stop();
                idle = 0;
            }
            let lasting = self.lasting.load(SeqCst) > 0;
            // And not asleep, so that the end of the clock is not waited for.
            thread::park_timeout(if lasting { TICK } else { FIRST_TICK });
            tick();
        }
    }

    /// Waits for a guest. The flag is set before the count is read, and a guest counts itself before it reads the flag:
    /// one of the two always sees the other.
    fn stop(&self) {
        self.stopped.store(true, SeqCst);
        while self.guests.load(SeqCst) == 0 && !self.ended.load(SeqCst) {
            thread::park();
        }
        self.stopped.store(false, SeqCst);
    }

    /// Makes the clock, which runs on `thread`, tick as long as the result lives.
    pub(super) fn tick_for_guest(self: &Arc<Self>, thread: Option<&Thread>) -> Ticking {
        self.guests.fetch_add(1, SeqCst);
        if self.stopped.load(SeqCst)
            && let Some(thread) = thread
        {
            thread.unpark();
        }
        Ticking { clock: Arc::clone(self), lasts: false }
    }

    /// Ends the clock, which runs on `thread`.
    pub(super) fn end(&self, thread: &Thread) {
        self.ended.store(true, SeqCst);
        thread.unpark();
    }
}

impl Ticking {
    /// Whether other guests run beside this one.
    pub(super) fn has_company(&self) -> bool {
        self.clock.guests.load(SeqCst) > 1
    }

    /// Notes that a tick has met the guest: the next ones come faster.
    pub(super) fn met(&mut self) {
        if !self.lasts {
            self.lasts = true;
            self.clock.lasting.fetch_add(1, SeqCst);
        }
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        if self.lasts {
            self.clock.lasting.fetch_sub(1, SeqCst);
        }
        self.clock.guests.fetch_sub(1, SeqCst);
    }
}
