//! Turns the reason for which a guest stopped into an [`ErrorKind`] and a message.

use wasmtime::{GcHeapOutOfMemory, PoolConcurrencyLimitError, Store, ThrownException, Trap};
use wasmtime_wasi::I32Exit;

use super::{
    host::Host,
    limiter::{ExceededLimit, is_out_of_memory},
};
use crate::call::{ErrorKind, InvokeError, Overload, RETRY_AFTER};

/// The error of an invocation whose guest stopped with `error`. `store` is the guest's store.
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
        (_, Some(ExceededLimit::SystemMemory)) => no_system_memory(store.data().has_other_guests()),
        (_, Some(ExceededLimit::Memory)) => exceeded("its memory limit (memory)"),
        (_, Some(ExceededLimit::Table)) => exceeded("its table limit"),
        (None, None) if error.is::<ThrownException>() => {
            InvokeError::new(ErrorKind::GuestFault, "the function threw an exception and did not catch it")
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

/// The limit that made the guest fail, if one did.
fn refused<W: 'static>(error: &wasmtime::Error, store: &Store<Host<W>>) -> Option<ExceededLimit> {
    let limiter = &store.data().limiter;
    if is_out_of_memory(error) {
        return Some(ExceededLimit::SystemMemory);
    }
    let no_room = error.is::<GcHeapOutOfMemory<()>>() || error.downcast_ref() == Some(&Trap::AllocationTooLarge);
    match no_room {
        true if limiter.lacks_system_memory() => Some(ExceededLimit::SystemMemory),
        true => Some(ExceededLimit::Memory),
        false => limiter.refused(store.gc_heap_capacity()),
    }
}

/// The error of an invocation whose guest could not get memory from the system. The guest is not at fault: other guests
/// use the memory, or the process has too little.
fn no_system_memory(has_other_guests: bool) -> InvokeError {
    if has_other_guests {
        return no_room();
    }
    let detail = "the process has too little memory or address space for an instance of the function; raise its limits";
    InvokeError::new(ErrorKind::Internal, detail)
}

/// The error of an invocation for which the server has no room now.
fn no_room() -> InvokeError {
    let detail = "the server has no room for another instance; try again later";
    InvokeError::overloaded(Overload::Server, RETRY_AFTER, detail)
}

fn exceeded(what: &str) -> InvokeError {
    InvokeError::new(ErrorKind::LimitExceeded, format!("the function exceeded {what}"))
}
