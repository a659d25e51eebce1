//! The standard streams of a guest.

mod stderr;
mod stdin;
mod stdout;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use stderr::GuestStderr;
pub(crate) use stderr::Stderr;
pub(crate) use stdin::Stdin;
pub(crate) use stdout::{Stdout, WINDOW};
use wasmtime_wasi::WasiCtxBuilder;

/// Gives a guest that reads no stdin its streams. Its result is what it returns: what it prints is for the developer.
pub(crate) fn give_output(wasi: &mut WasiCtxBuilder, stderr: &Stderr) {
    wasi.stdout(stderr.clone()).stderr(stderr.clone());
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // None of these states has an invariant that a panic between two writes could break.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
