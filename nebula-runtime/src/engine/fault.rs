//! Turns the reason for which a guest stopped into an [`ErrorKind`], a message, and the guest's stack.

use std::{io, sync::Arc};

use futures_util::future::BoxFuture;
use wasmtime::{GcHeapOutOfMemory, PoolConcurrencyLimitError, Store, ThrownException, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use super::{
    host::Host,
    limiter::{ExceededLimit, is_out_of_memory},
    symbols::{CodeFrame, Symbols, named},
};
use crate::call::{ErrorKind, InvokeError, Overload, RETRY_AFTER, ReportHandle, StackFrame};

/// Why a guest failed, before its stack has names and lines.
pub(crate) struct Fault {
    error: InvokeError,
    stack: Vec<CodeFrame>,
}

impl From<InvokeError> for Fault {
    fn from(error: InvokeError) -> Self {
        Self { error, stack: Vec::new() }
    }
}

impl Fault {
    /// The error with the guest's stack, which the report gets, too. Waits for debug information, but never for long.
    pub(super) fn explained(self, symbols: Arc<Symbols>, report: ReportHandle) -> BoxFuture<'static, InvokeError> {
        with_lines(self.named(&report), symbols, report)
    }

    /// The error with the names of the guest's stack. [`with_lines`] adds the lines.
    pub(super) fn named(self, report: &ReportHandle) -> InvokeError {
        if self.stack.is_empty() {
            return self.error;
        }
        report.update(|report| report.failure = Some(self.error.detail().to_owned()));
        with_stack(self.error, named(&self.stack), report).with_code_frames(Arc::new(self.stack))
    }
}

/// Adds lines to the stack of an error, and to the report. Waits for debug information, but never for long.
pub(crate) fn with_lines(
    mut error: InvokeError,
    symbols: Arc<Symbols>,
    report: ReportHandle,
) -> BoxFuture<'static, InvokeError> {
    let frames = error.take_code_frames().and_then(|frames| frames.downcast::<Vec<CodeFrame>>().ok());
    Box::pin(async move {
        match frames {
            Some(frames) => with_stack(error, symbols.stack(&frames).await, &report),
            None => error,
        }
    })
}

fn with_stack(error: InvokeError, stack: Vec<StackFrame>, report: &ReportHandle) -> InvokeError {
    report.update(|report| report.stack.clone_from(&stack));
    error.with_stack(stack)
}

/// The failure of an invocation whose guest stopped with `error`. `store` is the guest's store.
pub(crate) fn fault<W: 'static>(error: wasmtime::Error, store: &Store<Host<W>>) -> Fault {
    let error = match error.downcast::<InvokeError>() {
        Ok(ours) => return ours.into(),
        Err(error) => error,
    };
    if let Some(I32Exit(code)) = error.downcast_ref() {
        return InvokeError::new(ErrorKind::GuestFault, format!("the function exited with code {code}"))
            .with_exit_code(*code)
            .into();
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return no_room().into();
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
    let stack = CodeFrame::of_error(&error);
    let error = match context(&error) {
        Some(context) => failure.with_source(io::Error::other(context)),
        None => failure,
    };
    Fault { error, stack }
}

/// What Wasmtime says about an error besides its reason and its own backtrace: the error has a stack already.
fn context(error: &wasmtime::Error) -> Option<String> {
    let backtrace = error.downcast_ref::<WasmBacktrace>().map(ToString::to_string);
    let reason = error.root_cause().to_string();
    let messages = error.chain().map(ToString::to_string);
    let context: Vec<_> =
        messages.filter(|message| *message != reason && backtrace.as_ref() != Some(message)).collect();
    (!context.is_empty()).then(|| context.join(": "))
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
