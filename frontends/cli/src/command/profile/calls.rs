//! The calls that a profile is made of.

use std::{
    io::{self, IsTerminal as _, Read as _},
    time::{Duration, Instant},
};

use bytes::Bytes;
use nebula_runtime::{Event, FunctionRef, Invocation, InvokeError, Invoker as _, Limits, Runtime};
use tokio::signal::ctrl_c;

use crate::{command::run::Ready, failure::Failure};

/// The calls of one profile: all with the same event.
pub(super) struct Calls {
    pub(super) runtime: Runtime,
    pub(super) function: FunctionRef,
    args: Vec<String>,
    body: Bytes,
    max_response: u64,
    /// For how long the function is called again and again.
    repeated: Option<Duration>,
}

/// What became of the calls.
pub(super) struct Made {
    pub(super) calls: u64,
    pub(super) elapsed: Duration,
    /// The failure of the first call that failed.
    pub(super) failure: Option<InvokeError>,
}

impl Calls {
    /// The calls of a function with these arguments. Without any, the event is read from stdin.
    ///
    /// # Errors
    /// Stdin cannot be read.
    pub(super) fn read(ready: Ready, mut args: Vec<String>, repeated: Option<Duration>) -> Result<Self, Failure> {
        let limits = Limits::default().with(&ready.info.config.limits).at_most(&Limits::CEILINGS);
        args.extend(ready.more_args);
        let body = body(&args, limits.max_request.as_u64())?;
        let max_response = limits.max_response.as_u64();
        Ok(Self { runtime: ready.runtime, function: ready.function, args, body, max_response, repeated })
    }

    /// Makes the calls one after another, until they end or Ctrl-C ends them. A function that fails has a profile, too.
    ///
    /// # Errors
    /// The function cannot be loaded, or the process cannot handle signals.
    pub(super) async fn make(&self) -> Result<Made, Failure> {
        self.runtime.load(&self.function).await?;
        self.runtime.begin_profile();
        let (began, mut made) = (Instant::now(), Made { calls: 0, elapsed: Duration::ZERO, failure: None });
        tokio::select! {
            interrupted = ctrl_c() => interrupted.map_err(Failure::Signals)?,
            () = self.make_all(began, &mut made) => {}
        }
        made.elapsed = began.elapsed();
        Ok(made)
    }

    async fn make_all(&self, began: Instant, made: &mut Made) {
        loop {
            made.calls += 1;
            let called = self.call().await;
            made.failure = made.failure.take().or(called.err());
            if self.repeated.is_none_or(|time| began.elapsed() >= time) {
                return;
            }
        }
    }

    async fn call(&self) -> Result<(), InvokeError> {
        let event = Event::payload(self.body.clone(), None).with_arguments(self.args.clone());
        let response = self.runtime.invoke(Invocation::new(self.function.clone(), event)).await?;
        response.body.collect(self.max_response).await.map(drop)
    }
}

/// The body of the event: all of stdin, if there are no arguments.
fn body(args: &[String], max: u64) -> Result<Bytes, Failure> {
    let mut body = Vec::new();
    if args.is_empty() && !io::stdin().is_terminal() {
        // One byte more, so that a body over the limit is refused as such.
        io::stdin().take(max.saturating_add(1)).read_to_end(&mut body).map_err(Failure::Standard)?;
    }
    Ok(body.into())
}
