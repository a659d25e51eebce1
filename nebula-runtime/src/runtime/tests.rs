//! What callers see of a store and a source of code that fail, in virtual time.

mod code;
#[cfg(target_os = "linux")]
mod package;
mod publishing;
mod pure;
mod rounds;
mod snapshot;
mod steps;
mod store;
mod switch;
mod trust;
mod weights;
mod written;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, advance, timeout};

use super::{Runtime, RuntimeBuilder};
use crate::{
    call::{ErrorKind, Event, Invocation, InvokeError, Invoker as _},
    engine::{CodeSource, Engines},
    function::{Digest, FunctionConfig, FunctionName, FunctionRef},
    store::Store,
};

/// A runtime for two invocations at once.
fn runtime(store: &Store) -> Runtime {
    Runtime::builder(store.clone()).concurrency(2).build().unwrap()
}

fn name(text: &str) -> FunctionName {
    text.parse().unwrap()
}

/// A module whose only function answers with a number.
fn answer(number: u32) -> Bytes {
    format!("(module (func (export \"answer\") (result i32) (i32.const {number})))").into()
}

async fn publish(runtime: &Runtime, function: &str, number: u32) -> u64 {
    let published = runtime.publish(&name(function), answer(number)).await.unwrap();
    published.info.version
}

/// What a caller is answered, or the kind of failure that it is told.
async fn call(runtime: &Runtime, function: &str) -> Result<String, ErrorKind> {
    /// So that a call that never ends fails its test.
    const LONGEST: Duration = Duration::from_mins(1);

    let invocation = Invocation::new(function.parse::<FunctionRef>().unwrap(), Event::default());
    let response = timeout(LONGEST, runtime.invoke(invocation)).await.unwrap().map_err(|error| error.kind())?;
    Ok(String::from_utf8(response.body.collect(100).await.unwrap().to_vec()).unwrap())
}

/// Lets time pass, and every task do what it can do then.
async fn pass(time: Duration) {
    /// As many steps as there are between a timer and the last task that waits for it, and some more.
    const TURNS: usize = 50;

    advance(time).await;
    for _ in 0..TURNS {
        tokio::task::yield_now().await;
    }
}
