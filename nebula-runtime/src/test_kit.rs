//! For tests of frontends, layers and stores. It is there with the feature `test-kit`.
//!
//! ```
//! use std::sync::Arc;
//!
//! use nebula_runtime::{
//!     ErrorKind, Event, FunctionRef, Invocation, Invoker as _, Store,
//!     test_kit::{self, Failing},
//! };
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), test_kit::Failure> {
//! // A runtime in memory with a function.
//! let double = r#"(module (func (export "double") (param i32) (result i32)
//!     (i32.mul (local.get 0) (i32.const 2))))"#;
//! let runtime = test_kit::runtime([("double", double)]).await?;
//! assert_eq!(runtime.call("double", Event::json("21")).await?, "42");
//!
//! // An invoker whose second call fails.
//! let flaky = Failing::call(2, ErrorKind::Unavailable, "the network is down", Arc::new(runtime));
//! let call = || flaky.invoke(Invocation::new("double".parse::<FunctionRef>().unwrap(), Event::json("21")));
//! assert!(call().await.is_ok());
//! assert_eq!(call().await.unwrap_err().kind(), ErrorKind::Unavailable);
//!
//! // The promises of a store, checked of one over your own backend (see `Store::over`).
//! test_kit::conformance::check(&Store::memory()).await?;
//! # Ok(())
//! # }
//! ```

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
#[cfg(feature = "compiler")]
use bytes::Bytes;

use crate::call::{ErrorKind, Invocation, InvokeError, Invoker, Overload, Response};
#[cfg(feature = "compiler")]
use crate::{function::FunctionName, runtime::Runtime, store::Store};

pub use crate::store::conformance::{self, Failure};

/// A runtime in memory with these functions: names, and modules in the binary or in the text format.
///
/// # Errors
/// A name or a module is invalid.
#[cfg(feature = "compiler")]
pub async fn runtime<M: Into<Bytes>>(functions: impl IntoIterator<Item = (&str, M)>) -> Result<Runtime, Failure> {
    let runtime = Runtime::builder(Store::memory()).concurrency(4).build()?;
    for (name, module) in functions {
        runtime.publish(&name.parse::<FunctionName>()?, module).await?;
    }
    Ok(runtime)
}

/// An invoker that fails when a test wants it to.
pub struct Failing {
    inner: Option<(Arc<dyn Invoker>, usize)>,
    calls: AtomicUsize,
    kind: ErrorKind,
    detail: String,
}

impl Failing {
    /// An invoker whose calls all fail in this way.
    pub fn always(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self { inner: None, calls: AtomicUsize::new(0), kind, detail: detail.into() }
    }

    /// An invoker whose `nth` call fails in this way; the first call is 1. All other calls go to `inner`.
    pub fn call(nth: usize, kind: ErrorKind, detail: impl Into<String>, inner: Arc<dyn Invoker>) -> Self {
        Self { inner: Some((inner, nth)), ..Self::always(kind, detail) }
    }

    /// How often it was called.
    pub fn calls(&self) -> usize {
        self.calls.load(Relaxed)
    }

    fn error(&self) -> InvokeError {
        match self.kind {
            ErrorKind::Overloaded => InvokeError::overloaded(Overload::Server, Duration::from_secs(1), &self.detail),
            kind => InvokeError::new(kind, &self.detail),
        }
    }
}

#[async_trait]
impl Invoker for Failing {
    async fn invoke(&self, invocation: Invocation) -> Result<Response, InvokeError> {
        let call = self.calls.fetch_add(1, Relaxed) + 1;
        match &self.inner {
            Some((inner, nth)) if call != *nth => inner.invoke(invocation).await,
            _ => Err(self.error()),
        }
    }
}
