//! Any bytes as a module.

use std::{
    sync::{LazyLock, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use nebula_runtime::{
    ErrorKind, Event, FunctionInfo, FunctionName, FunctionRef, Invocation, InvokeError, Invoker as _, Kind,
    RegistryErrorKind, Runtime,
};

use crate::functions::{runtime, tokio};

/// After so many modules, the runtime is replaced: its store keeps all of them.
const MODULES: usize = 500;

/// The most exports that are called of one module.
const CALLS: usize = 8;

/// The time of a call: a guest may loop.
const TIMEOUT: Duration = Duration::from_millis(50);

static TOKIO: LazyLock<tokio::runtime::Runtime> = LazyLock::new(tokio);
static RUNTIME: Mutex<Option<(Runtime, usize)>> = Mutex::new(None);

/// Any bytes are a module that can be published, or they are refused. A module that was published can be called: each
/// call has a result or ends with an error that is the guest's own.
pub fn module(input: &[u8]) {
    TOKIO.block_on(async {
        let runtime = take();
        let name: FunctionName = "fuzzed".parse().unwrap();
        match runtime.0.publish(&name, Bytes::copy_from_slice(input)).await {
            Ok(published) => call_exports(&runtime.0, &published.info).await,
            Err(error) => assert_eq!(error.kind(), RegistryErrorKind::Invalid, "{error}"),
        }
        *RUNTIME.lock().unwrap_or_else(PoisonError::into_inner) = Some(runtime);
    });
}

/// The runtime that was used last, or a new one.
fn take() -> (Runtime, usize) {
    let last = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner).take();
    let (runtime, used) = last.filter(|(_, used)| *used < MODULES).unwrap_or_else(|| (runtime(TIMEOUT), 0));
    (runtime, used + 1)
}

async fn call_exports(runtime: &Runtime, function: &FunctionInfo) {
    if matches!(function.kind, Kind::Command | Kind::Http) {
        call(runtime, function.name.clone().into(), &[]).await;
    }
    for export in function.exports.iter().take(CALLS) {
        // Not every name of an export can be written in a reference.
        let Ok(reference) = format!("{}:{}", function.name, export.name).parse() else { continue };
        call(runtime, reference, &vec!["1"; export.params.len()]).await;
    }
}

async fn call(runtime: &Runtime, function: FunctionRef, arguments: &[&str]) {
    let event = Event::default().with_arguments(arguments.iter().copied());
    let outcome = async {
        let response = runtime.invoke(Invocation::new(function, event)).await?;
        response.body.collect(u64::MAX).await
    };
    outcome.await.map_or_else(|error| assert_is_of_the_guest(&error), drop);
}

fn assert_is_of_the_guest(error: &InvokeError) {
    match error.kind() {
        ErrorKind::InvalidInput
        | ErrorKind::InvalidModule
        | ErrorKind::GuestError
        | ErrorKind::GuestFault
        | ErrorKind::Timeout
        | ErrorKind::LimitExceeded => {}
        // An export whose name reads as something else in a reference.
        ErrorKind::NotFound => {}
        ErrorKind::PayloadTooLarge | ErrorKind::Overloaded | ErrorKind::Unavailable | ErrorKind::Internal => {
            panic!("{}: {error}", error.kind())
        }
    }
}
