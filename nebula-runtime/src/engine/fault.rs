//! Why a guest failed, in the terms of [`ErrorKind`].

use wasmtime::{PoolConcurrencyLimitError, Trap};
use wasmtime_wasi::I32Exit;

use super::host::{Host, Refused};
use crate::{ErrorKind, InvokeError, Overload, gate::RETRY_AFTER};

/// Makes the failure of an invocation out of what stopped its guest.
///
/// `host` is what the host knew of the guest then, where it got as far as having one.
pub(crate) fn fault<W>(error: wasmtime::Error, host: &Host<W>) -> InvokeError {
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
    let failure = match (trap, host.limiter.refused()) {
        (Some(Trap::StackOverflow), _) => exceeded("its call stack"),
        (_, Some(Refused::Memory)) => exceeded("its memory limit (memory)"),
        (_, Some(Refused::Table)) => exceeded("its table limit"),
        (Some(trap), None) => {
            let trap = trap.to_string();
            let trap = trap.strip_prefix("wasm trap: ").unwrap_or(&trap);
            InvokeError::new(ErrorKind::GuestFault, format!("the function trapped: {trap}"))
        }
        (None, None) => InvokeError::new(ErrorKind::GuestFault, format!("the function failed: {}", error.root_cause())),
    };
    failure.with_source(error)
}

/// The failure of an invocation that came when all slots of the pool were taken.
pub(crate) fn no_room() -> InvokeError {
    let detail = "the server has no room for another instance; try again later";
    InvokeError::overloaded(Overload::Server, RETRY_AFTER, detail)
}

fn exceeded(what: &str) -> InvokeError {
    InvokeError::new(ErrorKind::LimitExceeded, format!("the function exceeded {what}"))
}
