//! What `crate::sync` is for the files under test.

use std::cell::Cell;

pub(crate) use shuttle::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, atomic};

pub(crate) mod thread {
    //! Threads for which time passes as others go on.

    use std::time::Duration;

    pub(crate) use shuttle::thread::{Thread, park, yield_now};

    pub(crate) fn park_timeout(_: Duration) {
        yield_now();
    }
}

shuttle::thread_local! {
    static SHUT_DOWN: Cell<bool> = Cell::new(false);
}

/// Starts a task, if the thread's executor is not shut down.
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    match SHUT_DOWN.with(Cell::get) {
        true => drop(task),
        false => drop(shuttle::future::spawn(task)),
    }
}

/// What `work` spawns is dropped at once, as by a Tokio runtime that is being shut down.
pub(crate) fn while_shut_down<T>(work: impl FnOnce() -> T) -> T {
    SHUT_DOWN.with(|shut_down| shut_down.set(true));
    let done = work();
    SHUT_DOWN.with(|shut_down| shut_down.set(false));
    done
}
