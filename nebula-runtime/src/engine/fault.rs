//! Why a guest failed, in the terms of [`ErrorKind`].

use wasmtime::{GcHeapOutOfMemory, PoolConcurrencyLimitError, Store, ThrownException, Trap};
use wasmtime_wasi::I32Exit;

use super::host::{Host, Refused};
use crate::{ErrorKind, InvokeError, Overload, gate::RETRY_AFTER};

/// Makes the failure of an invocation out of what stopped its guest.
///
/// `store` is that of the guest, as it was then.
pub(crate) fn fault<W: 'static>(error: wasmtime::Error, store: &Store<Host<W>>) -> InvokeError {
    let error = match error.downcast::<InvokeError>() {
        Ok(ours) => return ours,
        Err(error) => error,
    };
    if let Some(I32Exit(code)) = error.downcast_ref() {
        return InvokeError::new(ErrorKind::GuestFault, format!("the function exited with code {code}"))
            .with_exit_code(*code);
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return no_room();
    }
    let trap = error.downcast_ref::<Trap>().copied();
    let failure = match (trap, refused(&error, store)) {
        (Some(Trap::StackOverflow), _) => exceeded("its call stack"),
        (_, Some(Refused::Memory)) => exceeded("its memory limit (memory)"),
        (_, Some(Refused::Table)) => exceeded("its table limit"),
        (None, None) if error.is::<ThrownException>() => {
            InvokeError::new(ErrorKind::GuestFault, "the function threw an exception, and nothing in it caught that")
        }
        (Some(trap), None) => {
            let trap = trap.to_string();
            let trap = trap.strip_prefix("wasm trap: ").unwrap_or(&trap);
            InvokeError::new(ErrorKind::GuestFault, format!("the function trapped: {trap}"))
        }
        (None, None) => InvokeError::new(ErrorKind::GuestFault, format!("the function failed: {}", error.root_cause())),
    };
    failure.with_source(error)
}

/// What the guest was refused and did not get over.
fn refused<W: 'static>(error: &wasmtime::Error, store: &Store<Host<W>>) -> Option<Refused> {
    let no_room = error.is::<GcHeapOutOfMemory<()>>() || error.downcast_ref() == Some(&Trap::AllocationTooLarge);
    if no_room { Some(Refused::Memory) } else { store.data().limiter.refused(store.gc_heap_capacity()) }
}

/// The failure of an invocation that came when all slots of the pool were taken.
pub(crate) fn no_room() -> InvokeError {
    let detail = "the server has no room for another instance; try again later";
    InvokeError::overloaded(Overload::Server, RETRY_AFTER, detail)
}

fn exceeded(what: &str) -> InvokeError {
    InvokeError::new(ErrorKind::LimitExceeded, format!("the function exceeded {what}"))
}
