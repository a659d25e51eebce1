//! The thread of the epoch clock. Its ticks make guests yield, so that they can be stopped.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{
    clock::{Clock, TickGuard},
    turns,
};

/// One thread that ticks for the guests of all engines while guests run. Dropping the `Ticker` ends the thread.
pub(crate) struct Ticker {
    clock: Arc<Clock>,
    engines: Arc<Mutex<Vec<wasmtime::Engine>>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// Starts the thread. It ticks at each `interval`, if there is one, and otherwise as often as guests need it.
    pub(crate) fn start(interval: Option<Duration>) -> std::io::Result<Self> {
        let clock = Arc::new(Clock::every(interval));
        let engines = Arc::<Mutex<Vec<_>>>::default();
        let (running, ticked) = (Arc::clone(&clock), Arc::clone(&engines));
        let run = move || running.run(|| tick(&ticked));
        let thread = thread::Builder::new().name("nebula-epoch".to_owned()).spawn(run)?;
        Ok(Self { clock, engines, thread: Some(thread) })
    }

    /// Makes the clock tick for the guests of this engine, too.
    pub(super) fn add(&self, engine: wasmtime::Engine) {
        self.engines.lock().unwrap_or_else(PoisonError::into_inner).push(engine);
    }

    /// Makes the clock tick as long as the result lives.
    pub(crate) fn tick_for_guest(&self) -> TickGuard {
        self.clock.tick_for_guest(self.thread.as_ref().map(JoinHandle::thread))
    }
}

fn tick(engines: &Mutex<Vec<wasmtime::Engine>>) {
    let engines = engines.lock().unwrap_or_else(PoisonError::into_inner);
    engines.iter().for_each(wasmtime::Engine::increment_epoch);
    turns::pass_on();
}

impl Drop for Ticker {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.clock.end(thread.thread());
            // The thread ends at once, and it cannot have panicked.
            drop(thread.join());
        }
    }
}
