//! Components that export functions of their own. These are called with JSON, according to their WIT types.
//!
//! | WIT | JSON |
//! |---|---|
//! | `bool`, `char`, `string` | `true`, `"c"`, `"text"` |
//! | `s8` to `u64` | a number in range; those of 64 bits are read from strings as well |
//! | `f32`, `f64` | a number; `"NaN"`, `"Infinity"`, `"-Infinity"` |
//! | `list<u8>` | a base64 string (RFC 4648, section 4); read from an array of numbers as well |
//! | `list`, `tuple` | an array |
//! | `record` | an object; a field that is an option may be missing |
//! | `variant` | `{"case": value}`, or `"case"` where it has none |
//! | `enum`, `flags` | `"case"`, `["flag", …]` |
//! | `option` | `null` or the value; of an option of an option, `{"some": …}` |
//! | `result` | `{"ok": …}` or `{"err": …}`; as a function's own result, the value or a failure |
//!
//! Resources, futures, streams, error contexts, maps and lists of fixed length cannot be written as JSON. A function
//! whose types contain one is listed, but cannot be called.

mod arguments;
mod decode;
#[cfg(feature = "compiler")]
mod describe;
mod encode;
mod exports;
#[cfg_attr(
    not(feature = "compiler"),
    expect(dead_code, reason = "names and docs are read where functions are described")
)]
mod shape;

use std::{pin::pin, sync::Arc};

use arguments::ArgumentError;
use encode::EncodeError;
use exports::{Exports, Function};
use http::HeaderValue;
use serde_json::value::RawValue;
use shape::{Form, Signature};
use tokio::time::Instant;
use wasmtime::{
    Store,
    component::{Component, Val},
};

#[cfg(feature = "compiler")]
use super::source::Source;
use super::{call::Call, coding, methods};
use crate::{
    call::{Caller, ErrorKind, Event, InvokeError, Resolved, Response},
    engine::{Engine, Host, fault, supervise},
    host::{ComponentPre, Stderr, System},
};

/// A component that exports functions.
pub(crate) struct Typed {
    engine: Arc<Engine>,
    pre: ComponentPre,
    exports: Exports,
}

/// How many times as large as its JSON a value may be in memory. A base64 string, which is the densest JSON, takes 24
/// times as much.
const MEMORY_FACTOR: usize = 32;

impl Typed {
    pub(super) fn new(engine: Arc<Engine>, component: &Component, pre: ComponentPre) -> Result<Self, InvokeError> {
        let exports = Exports::of(component, engine.wasmtime());
        match exports.refusal() {
            Some(refusal) => Err(refusal),
            None => Ok(Self { engine, pre, exports }),
        }
    }

    /// The linked code that instances of the component are made from.
    #[cfg(feature = "compiler")]
    pub(super) fn source(&self) -> (&Arc<Engine>, Source<'_>) {
        (&self.engine, Source::Component(&self.pre))
    }

    pub(super) async fn call(&self, call: Call) -> Result<Response, InvokeError> {
        if let Some(answer) = methods::instead_of_call(&call.invocation) {
            return answer;
        }
        let caller = Caller::of(&call.invocation);
        let time_limit = call.deployment.time_limit(&caller);
        let Call { invocation, deployment, began, stderr, guards: _guards, .. } = call;
        let Resolved { config, limits, .. } = &deployment.resolved;
        let (function, signature) = self.exports.find(&invocation.function, config)?;
        let report = invocation.report;
        let (params, bytes_in) = params(signature, invocation.event, limits.max_request.as_u64()).await?;
        report.update(|report| report.bytes_in = bytes_in);
        let stderr = Stderr::new(&caller, stderr);
        let system = System::without_input(&deployment.granted, &stderr, &caller)?;
        let mut store = self.engine.store(system, limits.memory, caller);
        store.set_hostcall_fuel(memory_for(limits.max_response.as_u64()));
        // Pinned here, because it is large and moving it would copy it.
        let guest = pin!(async {
            let ran = self.run(&mut store, began, function, signature, &params).await;
            ran.map_err(|error| fault(error, &store))
        });
        let guest = supervise(guest, began, time_limit, report.clone());
        let result = guest.with_reader(stderr.waits()).explained_by(&deployment.symbols).await?;
        let body = answer(signature, result.as_ref(), limits.max_response.as_u64())?;
        report.update(|report| report.bytes_out = body.len() as u64);
        Ok(Response::new(HeaderValue::from_static("application/json"), body, report.clone()))
    }

    async fn run(
        &self,
        store: &mut Store<Host<System>>,
        began: Instant,
        function: &Function,
        signature: &Signature,
        params: &[Val],
    ) -> wasmtime::Result<Option<Val>> {
        let instance = self.pre.instantiate_async(&mut *store).await?;
        store.data().instantiated(began);
        let callee = instance.get_func(&mut *store, function.index);
        let callee = callee.ok_or_else(|| wasmtime::format_err!("export {:?} is gone", function.name))?;
        let mut results = vec![Val::Bool(false); usize::from(signature.result.is_some())];
        // Async functions are called in the same way: the call runs the guest's tasks until the function has returned,
        // and traps if none of them can go on.
        callee.call_async(store, params, &mut results).await?;
        Ok(results.pop())
    }
}

/// The call's arguments, and how many bytes their JSON has.
async fn params(signature: &Signature, event: Event, max_request: u64) -> Result<(Vec<Val>, u64), InvokeError> {
    let (input, arguments) = event.into_parts();
    let budget = memory_for(max_request);
    let (params, size) = if arguments.is_empty() {
        let body = coding::decoded_body(input, max_request).await?;
        (arguments::of_body(&signature.params, &body, budget), body.len() as u64)
    } else if input.into_body().is_known_empty() {
        let size = arguments.iter().map(|argument| argument.len() as u64).sum();
        (arguments::of_texts(&signature.params, &arguments, budget), size)
    } else {
        let detail = "the event has arguments both in its path and in its body; give them in one of the two";
        return Err(InvokeError::new(ErrorKind::InvalidInput, detail));
    };
    let params = params.map_err(|argument_error| match argument_error {
        ArgumentError::Invalid(detail) => InvokeError::new(ErrorKind::InvalidInput, detail),
        ArgumentError::TooLarge => {
            let detail =
                format!("the arguments take more memory than {MEMORY_FACTOR} times max_request ({max_request} bytes)");
            InvokeError::new(ErrorKind::PayloadTooLarge, detail)
        }
    });
    Ok((params?, size))
}

fn memory_for(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX).saturating_mul(MEMORY_FACTOR)
}

/// The result as JSON. An `err` of the function becomes an error.
fn answer(signature: &Signature, result: Option<&Val>, max: u64) -> Result<Vec<u8>, InvokeError> {
    let is_outcome = matches!(signature.result.as_ref().map(|shape| &shape.form), Some(Form::Result(..)));
    let written = match result {
        Some(Val::Result(Ok(value))) if is_outcome => encode::encode(signature.success(), value.as_deref(), max),
        Some(Val::Result(Err(error))) if is_outcome => {
            let json = encode::encode(signature.failure(), error.as_deref(), max);
            return Err(json.map_or_else(encode_error, guest_error));
        }
        result => encode::encode(signature.result.as_ref(), result, max),
    };
    written.map_err(encode_error)
}

/// The error for an `err` that the function returned.
fn guest_error(json: Vec<u8>) -> InvokeError {
    const SHOWN: usize = 200;

    let json = String::from_utf8(json).unwrap_or_default();
    let detail = match json.as_str() {
        "null" => "the function returned an error".to_owned(),
        short if short.len() <= SHOWN => format!("the function returned an error: {short}"),
        _ => "the function returned an error; it is in \"error\"".to_owned(),
    };
    let error = InvokeError::new(ErrorKind::GuestError, detail);
    match RawValue::from_string(json) {
        Ok(json) => error.with_guest_error(json),
        Err(_) => error,
    }
}

fn encode_error(encode_error: EncodeError) -> InvokeError {
    match encode_error {
        EncodeError::TooLarge => {
            InvokeError::new(ErrorKind::LimitExceeded, "the function returned more than its limit (max_response)")
        }
        EncodeError::Mismatch => InvokeError::new(ErrorKind::Internal, "the result is not of the function's type"),
    }
}

#[cfg(test)]
mod tests;
