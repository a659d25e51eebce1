//! What threads and tasks share their work with, for the files that the model checker runs as well.
//!
//! `tests/model` compiles those files once more, under a `crate::sync` of its own: there a scheduler decides at each of these
//! steps who goes on.

use std::sync::PoisonError;
pub(crate) use std::{
    sync::{Arc, Mutex, MutexGuard, Weak, atomic},
    thread,
};

pub(crate) use tokio::spawn;

/// Locks what no panic leaves half changed: a lock that a panic has poisoned can be used.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
