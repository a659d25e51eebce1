//! The standard streams of a guest.

#[cfg(feature = "compiler")]
mod kept;
mod stderr;
mod stdin;
mod stdout;

#[cfg(feature = "compiler")]
pub(crate) use kept::KeptOutput;
pub use stderr::GuestStderr;
pub(crate) use stderr::Stderr;
pub(crate) use stdin::Stdin;
pub(crate) use stdout::{Stdout, WINDOW};
use wasmtime_wasi::WasiCtxBuilder;

/// Gives its standard streams to a guest whose result is its return value. Stdout goes to stderr, because all that such
/// a guest prints is for its developer.
pub(crate) fn give_output(wasi: &mut WasiCtxBuilder, stderr: &Stderr) {
    wasi.stdout(stderr.clone()).stderr(stderr.clone());
}
