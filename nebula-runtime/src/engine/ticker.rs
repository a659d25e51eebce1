//! The epoch clock: what makes guests yield, and so lets them be stopped.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// The time between two ticks while there is a guest that a tick has met: the longest that it holds a thread before others
/// have their turn.
///
/// One millisecond: eight spinning guests on two threads then delay everyone else by four. Ten would delay them by forty.
const TICK: Duration = Duration::from_millis(1);

/// The time between two ticks while no guest has lasted until one. A tick takes a processor away from whoever is at work: with
/// one each millisecond, a server of brief guests answers a twentieth less.
const FIRST_TICK: Duration = Duration::from_millis(4);

/// Ticks without a guest after which the clock stops, so that an idle process costs nothing.
const IDLE_TICKS: u32 = 12;

/// One thread that ticks while guests run. It ends when this is dropped.
pub(crate) struct Ticker {
    clock: Arc<Clock>,
    thread: Option<JoinHandle<()>>,
}

struct Clock {
    engine: wasmtime::Engine,
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

impl Ticker {
    pub(crate) fn start(engine: wasmtime::Engine) -> std::io::Result<Self> {
        let clock = Arc::new(Clock {
            engine,
            guests: AtomicUsize::new(0),
            lasting: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        });
        let running = Arc::clone(&clock);
        let thread = thread::Builder::new().name("nebula-epoch".to_owned()).spawn(move || running.run())?;
        Ok(Self { clock, thread: Some(thread) })
    }

    /// Makes the clock tick as long as the result lives.
    pub(crate) fn tick_for_guest(&self) -> Ticking {
        self.clock.guests.fetch_add(1, SeqCst);
        if self.clock.stopped.load(SeqCst) {
            self.wake();
        }
        Ticking { clock: Arc::clone(&self.clock), lasts: false }
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Ticking {
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

impl Drop for Ticker {
    fn drop(&mut self) {
        self.clock.ended.store(true, SeqCst);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // It ends at once, and cannot have panicked.
            drop(thread.join());
        }
    }
}

impl Clock {
    fn run(&self) {
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
            self.engine.increment_epoch();
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
}
