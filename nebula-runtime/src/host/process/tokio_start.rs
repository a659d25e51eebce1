//! Starting Tokio where the system is short of descriptors or threads.

use std::{
    io,
    os::unix::net::UnixStream,
    panic::{self, PanicHookInfo},
    thread,
};

use tokio::runtime::{Builder, Runtime};

/// Builds a Tokio runtime, for a program's `main`. Where the system has no descriptor or thread for it, `give_up` ends the
/// process.
///
/// Tokio panics for some of these, and unwinding would then wait for the threads that it has started, which never end. So
/// `give_up` is called where the panic begins.
pub fn start_tokio(builder: &mut Builder, give_up: fn(io::Error) -> !) -> Runtime {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(move |panic| give_up(shortage(panic))));
    let runtime = builder.build().unwrap_or_else(|error| give_up(error));
    panic::set_hook(hook);
    runtime
}

/// Whether this panic says that the system has no thread for a library that knows no other way to say it.
#[must_use]
pub fn lacks_threads(panic: &PanicHookInfo<'_>) -> bool {
    let message = panic.payload_as_str().unwrap_or_default();
    // Tokio's, Rayon's and the standard library's own words.
    ["OS can't spawn worker thread", "The global thread pool has not been initialized", "failed to spawn thread"]
        .iter()
        .any(|start| message.starts_with(start))
}

/// What the system has too few of: what it says now, or what the panic said.
#[must_use]
pub fn shortage(panic: &PanicHookInfo<'_>) -> io::Error {
    let message = || panic.payload_as_str().unwrap_or("Tokio cannot be started").to_owned();
    let descriptors = UnixStream::pair().err();
    let threads = || thread::Builder::new().spawn(|| ()).err();
    descriptors.or_else(threads).unwrap_or_else(|| io::Error::other(message()))
}
