//! Why a guest failed, in the terms of [`ErrorKind`].

use wasmtime::{GcHeapOutOfMemory, PoolConcurrencyLimitError, Store, ThrownException, Trap};
use wasmtime_wasi::I32Exit;

use super::{
    host::Host,
    limiter::{Refused, is_out_of_space},
};
use crate::call::{ErrorKind, InvokeError, Overload, RETRY_AFTER};

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
        (_, Some(Refused::Space)) => no_space(store.data().has_company()),
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
    let limiter = &store.data().limiter;
    if is_out_of_space(error) {
        return Some(Refused::Space);
    }
    let no_room = error.is::<GcHeapOutOfMemory<()>>() || error.downcast_ref() == Some(&Trap::AllocationTooLarge);
    match no_room {
        true if limiter.lacks_space() => Some(Refused::Space),
        true => Some(Refused::Memory),
        false => limiter.refused(store.gc_heap_capacity()),
    }
}

/// The failure of an invocation whose instance this machine has no memory for. That is no fault of the guest: other guests
/// have it, or this process has too little.
fn no_space(has_company: bool) -> InvokeError {
    if has_company {
        return no_room();
    }
    let detail = "the process has too little memory or address space for an instance of the function; raise its limits";
    InvokeError::new(ErrorKind::Internal, detail)
}

/// The failure of an invocation that came when all slots of the pool were taken.
fn no_room() -> InvokeError {
    let detail = "the server has no room for another instance; try again later";
    InvokeError::overloaded(Overload::Server, RETRY_AFTER, detail)
}

fn exceeded(what: &str) -> InvokeError {
    InvokeError::new(ErrorKind::LimitExceeded, format!("the function exceeded {what}"))
}
