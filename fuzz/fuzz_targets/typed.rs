//! Any body for a typed function: it is a value of the function's type, or it is refused. Nothing panics, no stack and no
//! memory is exhausted, and what is a value comes back from its function as JSON that is the same value again.
//!
//! `cargo +nightly fuzz run typed`

#![no_main]

use std::{future::IntoFuture as _, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use nebula_runtime::{ErrorKind, Event, FunctionName, Invocation, Invoker as _, Runtime, Store};

/// A function of nearly every type there is, which returns its parameter.
const SAME: &str = include_str!("same.wat");

struct Fuzzed {
    tokio: tokio::runtime::Runtime,
    runtime: Runtime,
    name: FunctionName,
}

static FUZZED: LazyLock<Fuzzed> = LazyLock::new(|| {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let name: FunctionName = "same".parse().unwrap();
    let runtime = Runtime::builder(Store::memory()).concurrency(1).build().unwrap();
    tokio.block_on(runtime.publish(&name, SAME).into_future()).unwrap();
    Fuzzed { tokio, runtime, name }
});

/// What the function makes of a body; `None` where that is no value of its type.
fn same(body: Vec<u8>) -> Option<Vec<u8>> {
    let Fuzzed { tokio, runtime, name } = &*FUZZED;
    tokio.block_on(async {
        match runtime.invoke(Invocation::new(name.clone(), Event::json(body))).await {
            Ok(response) => Some(response.body.collect(u64::MAX).await.unwrap().into()),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
                None
            }
        }
    })
}

fuzz_target!(|body: &[u8]| {
    if let Some(answer) = same(body.to_vec()) {
        let again = same(answer.clone());
        assert_eq!(again.as_deref(), Some(answer.as_slice()), "{}", String::from_utf8_lossy(&answer));
    }
});
