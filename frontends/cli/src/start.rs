//! Starts Tokio, and ends the process with a message where the system has too few threads or file descriptors.

use std::{io, panic, process, thread};

use nebula_runtime::{
    stderr::{self, FlushAtExit},
    tokio_start::{self, lacks_threads, shortage},
};
use tokio::runtime::{Builder, Runtime};

use crate::{failure::Failure, print};

/// Starts Tokio, or ends the process with a message.
pub(crate) fn tokio() -> Runtime {
    tokio_start::start_tokio(Builder::new_multi_thread().enable_all(), give_up)
}

/// Tokio for work that is done before the process has several threads.
pub(crate) fn tokio_of_one_thread() -> Runtime {
    tokio_start::start_tokio(Builder::new_current_thread().enable_all(), give_up)
}

/// Handles panics from now on. If a library panics because it gets no thread, the command ends with a message. A server
/// goes on: its other calls may need no thread.
pub(crate) fn take_panics(serves: bool) {
    panic::set_hook(Box::new(move |panic| {
        if lacks_threads(panic) && (!serves || is_main_thread()) {
            give_up(shortage(panic));
        }
        stderr::note_panic(panic);
    }));
}

fn is_main_thread() -> bool {
    thread::current().name() == Some("main")
}

fn give_up(error: io::Error) -> ! {
    let failure = Failure::Threads(error);
    print::error(&failure);
    drop(FlushAtExit::with_timeout());
    process::exit(failure.exit_code().into())
}
