//! The standard streams of a guest.

mod lock;
mod stderr;
mod stdin;
mod stdout;

pub use stderr::GuestStderr;
pub(crate) use stderr::Stderr;
pub(crate) use stdin::Stdin;
pub(crate) use stdout::{Stdout, WINDOW};
use wasmtime_wasi::WasiCtxBuilder;

/// Gives a guest that reads no stdin its streams. Its result is what it returns: what it prints is for the developer.
pub(crate) fn give_output(wasi: &mut WasiCtxBuilder, stderr: &Stderr) {
    wasi.stdout(stderr.clone()).stderr(stderr.clone());
}
