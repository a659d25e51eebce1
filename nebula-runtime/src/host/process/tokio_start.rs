//! Starts Tokio, and ends the process with a clear error if the system has too few descriptors or threads for it.

use std::{
    io,
    os::unix::net::UnixStream,
    panic::{self, PanicHookInfo},
    thread,
};

use tokio::runtime::{Builder, Runtime};

/// Builds a Tokio runtime, for a program's `main`. If the system has too few descriptors or threads, `give_up` ends the
/// process.
///
/// In some of these cases Tokio panics. Unwinding would then wait for the threads that Tokio has started, and these
/// never end. So the panic hook calls `give_up`, before anything is unwound.
pub fn start_tokio(builder: &mut Builder, give_up: fn(io::Error) -> !) -> Runtime {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(move |panic| give_up(shortage(panic))));
    let runtime = builder.build().unwrap_or_else(|error| give_up(error));
    panic::set_hook(hook);
    runtime
}

/// Whether a library panicked because the system could not start a thread.
#[must_use]
pub fn lacks_threads(panic: &PanicHookInfo<'_>) -> bool {
    let message = panic.payload_as_str().unwrap_or_default();
    // The messages of Tokio, Rayon and the standard library.
    ["OS can't spawn worker thread", "The global thread pool has not been initialized", "failed to spawn thread"]
        .iter()
        .any(|start| message.starts_with(start))
}

/// The system's error when it is asked for a descriptor and a thread now, or else the panic's message.
#[must_use]
pub fn shortage(panic: &PanicHookInfo<'_>) -> io::Error {
    let message = || panic.payload_as_str().unwrap_or("Tokio cannot be started").to_owned();
    let descriptors = UnixStream::pair().err();
    let threads = || thread::Builder::new().spawn(|| ()).err();
    descriptors.or_else(threads).unwrap_or_else(|| io::Error::other(message()))
}
