//! The state that a stream and its guest share.

use std::sync::{Mutex, MutexGuard, PoisonError};

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // None of these states has an invariant that a panic between two writes could break.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
