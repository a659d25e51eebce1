//! The epoch clock: what makes guests yield, and so lets them be stopped.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// The time between two ticks, and so the longest that a guest holds a thread before others have their turn.
///
/// One millisecond: eight spinning guests on two threads then delay everyone else by four. Ten would delay them by forty.
pub(crate) const TICK: Duration = Duration::from_millis(1);

/// Ticks without a guest after which the clock stops, so that an idle process costs nothing.
const IDLE_TICKS: u32 = 50;

/// One thread that ticks while guests run. It ends when this is dropped.
pub(crate) struct Ticker {
    clock: Arc<Clock>,
    thread: Option<JoinHandle<()>>,
}

struct Clock {
    engine: wasmtime::Engine,
    guests: AtomicUsize,
    stopped: AtomicBool,
    ended: AtomicBool,
}

/// A guest that wants ticks, as long as this lives.
pub(crate) struct Ticking(Arc<Clock>);

impl Ticker {
    pub(crate) fn start(engine: wasmtime::Engine) -> std::io::Result<Self> {
        let clock = Arc::new(Clock {
            engine,
            guests: AtomicUsize::new(0),
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
        Ticking(Arc::clone(&self.clock))
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.guests.fetch_sub(1, SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.clock.ended.store(true, SeqCst);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // It ends within a tick, and cannot have panicked.
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
            thread::sleep(TICK);
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
