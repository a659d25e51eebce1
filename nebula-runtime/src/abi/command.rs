//! WASI commands: the event on stdin, the result on stdout.

use std::{
    future::{Future as _, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::HeaderValue;
use http_body::Frame;
use serde::de::IgnoredAny;
use tokio::time::Instant;
use wasmtime::{InstancePre, Module, Store, component};
use wasmtime_wasi::{I32Exit, p1::WasiP1Ctx, p2::bindings::CommandPre};

use super::{
    Call, cgi,
    stdio::{self, Stderr, Stdin, Stdout, WINDOW},
    unlinkable, wasi_linker,
};
use crate::{
    Body, Delivery, ErrorKind, FunctionConfig, InvokeError, ReportHandle, Response,
    engine::{Engine, Host, Supervised, fault, supervise},
};

/// A WASI command: a module with `_start`, or a component that exports `wasi:cli/run`.
pub(crate) struct Command(Arc<Instance>);

enum Instance {
    Module(InstancePre<Host<WasiP1Ctx>>),
    Component(CommandPre<Host<WasiP1Ctx>>),
}

impl Command {
    pub(super) fn module(engine: &Engine, module: &Module) -> Result<Self, InvokeError> {
        let pre = wasi_linker(engine)?.instantiate_pre(module).map_err(unlinkable)?;
        Ok(Self(Arc::new(Instance::Module(pre))))
    }

    pub(super) fn component(engine: &Engine, component: &component::Component) -> Result<Self, InvokeError> {
        let mut linker = component::Linker::new(engine.wasmtime());
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)
            .map_err(|error| InvokeError::new(ErrorKind::Internal, "failed to set up WASI").with_source(error))?;
        let pre = linker.instantiate_pre(component).map_err(unlinkable)?;
        let command = CommandPre::new(pre).map_err(|error| {
            let detail =
                "the component does not export wasi:cli/run 0.2; other kinds of components are not supported yet";
            InvokeError::new(ErrorKind::InvalidModule, detail).with_source(error)
        })?;
        Ok(Self(Arc::new(Instance::Component(command))))
    }
}

impl Instance {
    /// Runs the command to its end.
    async fn run(&self, store: &mut Store<Host<WasiP1Ctx>>, began: Instant) -> wasmtime::Result<()> {
        let instantiated = |store: &Store<Host<WasiP1Ctx>>| {
            store.data().report().update(|report| report.instantiating = began.elapsed());
        };
        match self {
            Self::Module(pre) => {
                let instance = pre.instantiate_async(&mut *store).await?;
                let start = instance.get_typed_func::<(), ()>(&mut *store, "_start")?;
                instantiated(store);
                start.call_async(store, ()).await
            }
            Self::Component(pre) => {
                let command = pre.instantiate_async(&mut *store).await?;
                instantiated(store);
                // `run` returns a result without a payload: all it can say is that it failed.
                command.wasi_cli_run().call_run(store).await?.map_err(|()| I32Exit(1).into())
            }
        }
    }
}

impl Command {
    pub(super) async fn call(&self, call: Call) -> Result<Response, InvokeError> {
        let Call { engine, invocation, deployment, limits, began, stderr } = call;
        let config = &deployment.manifest.config;
        if let Some(export) = invocation.function.export() {
            let detail = format!("function {} is a command and has no export {export:?}", invocation.function.name());
            return Err(InvokeError::new(ErrorKind::NotFound, detail));
        }
        let variables = cgi::variables(&invocation.event, &invocation.id);
        let (input, arguments) = invocation.event.into_parts();
        let body = match input.into_body() {
            body if body.is_known_empty() => Body::from(arguments.join("/")),
            body => body,
        };
        let stdin = Stdin::new(body.limited(limits.max_request.as_u64()));
        let stdout = Stdout::new(limits.max_response.as_u64());
        let mut wasi = stdio::granted(config)?;
        wasi.envs(&variables).arg(invocation.function.name().as_str()).args(&config.args);
        wasi.stdin(stdin.clone()).stdout(stdout.clone()).stderr(Stderr::new(&invocation.id, stderr));
        let mut store = engine.store(wasi.build_p1(), limits.memory, &invocation.report);
        let instance = Arc::clone(&self.0);
        let guest: BoxFuture<'static, _> = Box::pin(async move {
            let ran = instance.run(&mut store, began).await;
            ran.or_else(exited_well).map_err(|error| fault(error, store.data()))
        });
        let guest = supervise(guest, began, limits.timeout, invocation.report.clone());
        let immediate = invocation.delivery == Delivery::Immediate || config.content_type.is_some();
        let running = Running { guest: Some(guest), stdin, stdout, report: invocation.report };
        running.respond(immediate, config).await
    }
}

fn exited_well(error: wasmtime::Error) -> wasmtime::Result<()> {
    match error.downcast_ref() {
        Some(I32Exit(0)) => Ok(()),
        _ => Err(error),
    }
}

/// A command at work. What it read and wrote is noted in the report when it is dropped.
struct Running {
    /// `None` once it has ended.
    guest: Option<Supervised<BoxFuture<'static, Result<(), InvokeError>>>>,
    stdin: Stdin,
    stdout: Stdout,
    report: ReportHandle,
}

impl Running {
    /// Runs the guest until its response can begin: at its end, or once it has written enough.
    async fn respond(mut self, immediate: bool, config: &FunctionConfig) -> Result<Response, InvokeError> {
        let enough = if immediate { 1 } else { WINDOW };
        let failure = poll_fn(|context| self.poll_output(context, enough)).await.err();
        let report = self.report.clone();
        let output = self.stdout.take();
        // A guest that wrote before it failed: whether the response had begun by then must not depend on the time between.
        let failure = match failure {
            Some(failure) if output.is_empty() || !immediate => return Err(failure),
            failure => failure,
        };
        let whole = self.guest.is_none() && failure.is_none();
        let media_type = media_type(config, &output, whole);
        let body = match whole {
            true => Body::from(output),
            false => Body::stream(Streaming { output, running: self, failure }),
        };
        Ok(Response::new(media_type, body, report))
    }

    /// Runs the guest until it has ended or `enough` bytes of output are there.
    fn poll_output(&mut self, context: &mut Context<'_>, enough: usize) -> Poll<Result<(), InvokeError>> {
        let Some(guest) = &mut self.guest else {
            return Poll::Ready(Ok(()));
        };
        match Pin::new(guest).poll(context) {
            Poll::Pending if self.stdout.len() >= enough => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
            Poll::Ready(ended) => {
                self.guest = None;
                // A guest whose event broke off failed because of that.
                Poll::Ready(self.stdin.take_failure().map_or(ended, Err))
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.report.update(|report| {
            report.bytes_in = self.stdin.read();
            report.bytes_out = self.stdout.written();
        });
    }
}

/// The body of a response that began before its guest had ended. Polling it runs the guest.
struct Streaming {
    output: Bytes,
    failure: Option<InvokeError>,
    running: Running,
}

impl http_body::Body for Streaming {
    type Data = Bytes;
    type Error = InvokeError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, InvokeError>>> {
        let mut pending = false;
        if self.output.is_empty() && self.failure.is_none() {
            match self.running.poll_output(context, 1) {
                Poll::Ready(ended) => self.failure = ended.err(),
                Poll::Pending => pending = true,
            }
            self.output = self.running.stdout.take();
        }
        if !self.output.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.output)))));
        }
        if pending { Poll::Pending } else { Poll::Ready(self.failure.take().map(Err)) }
    }
}

/// The configured media type, or the one that the output shows: JSON, other text, or octets. Of output that goes on, the
/// beginning decides.
fn media_type(config: &FunctionConfig, output: &[u8], whole: bool) -> HeaderValue {
    if let Some(Ok(configured)) = config.content_type.as_deref().map(HeaderValue::from_str) {
        return configured;
    }
    HeaderValue::from_static(if is_json(output, whole) {
        "application/json"
    } else if is_text(output, whole) {
        "text/plain; charset=utf-8"
    } else {
        "application/octet-stream"
    })
}

fn is_json(output: &[u8], whole: bool) -> bool {
    match serde_json::from_slice::<IgnoredAny>(output) {
        Ok(_) => true,
        Err(error) => !whole && error.is_eof(),
    }
}

fn is_text(output: &[u8], whole: bool) -> bool {
    match std::str::from_utf8(output) {
        Ok(_) => true,
        // A character that the end cuts in two.
        Err(error) => !whole && error.error_len().is_none(),
    }
}
