//! The epoch clock: what makes guests yield, and so lets them be stopped.

use std::{
    sync::Arc,
    thread::{self, JoinHandle},
};

use super::clock::{Clock, Ticking};

/// One thread that ticks while guests run. It ends when this is dropped.
pub(crate) struct Ticker {
    clock: Arc<Clock>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    pub(crate) fn start(engine: wasmtime::Engine) -> std::io::Result<Self> {
        let clock = Arc::new(Clock::default());
        let running = Arc::clone(&clock);
        let run = move || running.run(|| engine.increment_epoch());
        let thread = thread::Builder::new().name("nebula-epoch".to_owned()).spawn(run)?;
        Ok(Self { clock, thread: Some(thread) })
    }

    /// Makes the clock tick as long as the result lives.
    pub(crate) fn tick_for_guest(&self) -> Ticking {
        self.clock.tick_for_guest(self.thread.as_ref().map(JoinHandle::thread))
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.clock.end(thread.thread());
            // It ends at once, and cannot have panicked.
            drop(thread.join());
        }
    }
}
