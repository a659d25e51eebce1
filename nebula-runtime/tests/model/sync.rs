//! What `crate::sync` is for the files under test.

use std::cell::Cell;

use shuttle::sync::PoisonError;
pub(crate) use shuttle::sync::{Arc, Mutex, MutexGuard, Weak, atomic};

/// Locks what no panic leaves half changed: a lock that a panic has poisoned can be used.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) mod thread {
    //! Threads that are never woken without a reason, as others may be, and for which time passes as others go on.

    use std::time::Duration;

    use shuttle::sync::{Arc, Condvar, Mutex};

    shuttle::thread_local! {
        static CURRENT: Thread = Thread::default();
    }

    /// A thread that may wait.
    #[derive(Clone, Default)]
    pub(crate) struct Thread(Arc<(Mutex<bool>, Condvar)>);

    impl Thread {
        pub(crate) fn unpark(&self) {
            let (woken, waking) = &*self.0;
            *woken.lock().unwrap() = true;
            waking.notify_one();
        }
    }

    pub(crate) fn current() -> Thread {
        CURRENT.with(Thread::clone)
    }

    pub(crate) fn park() {
        let Thread(shared) = current();
        let (woken, waking) = &*shared;
        *waking.wait_while(woken.lock().unwrap(), |woken| !*woken).unwrap() = false;
    }

    pub(crate) fn park_timeout(_: Duration) {
        shuttle::thread::yield_now();
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
