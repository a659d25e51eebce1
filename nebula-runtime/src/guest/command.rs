//! WASI commands: they read the event on stdin and write the result to stdout.

use std::{
    future::{Future as _, poll_fn, ready},
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
use wasmtime::{InstancePre, Module, Store};
use wasmtime_wasi::{I32Exit, WasiCtxBuilder, p1::WasiP1Ctx, p2, p3};

#[cfg(feature = "compiler")]
use super::source::Source;
use super::{
    call::{Call, CallFuture, CallGuards},
    cgi,
    core::Core,
    deployment::Deployment,
    streaming::{self, GuestBody},
    unlinkable::unlinkable,
};
#[cfg(feature = "compiler")]
use crate::function::Export;
use crate::{
    call::{Body, Buffering, Caller, ErrorKind, InvokeError, ReportHandle, Resolved, Response},
    engine::{Engine, Fault, Host, Supervised, fault, supervise},
    function::FunctionConfig,
    host::{ComponentPre, Stderr, Stdin, Stdout, System, WINDOW, module_linker},
};

/// A WASI command: a module with `_start`, or a component that exports `wasi:cli/run`.
pub(crate) struct Command {
    engine: Arc<Engine>,
    instance: Instance,
    /// The command's numeric functions, which are called if the caller or the configuration names one. Only a module
    /// has them.
    functions: Option<Arc<Core>>,
}

enum Instance {
    Module(Arc<InstancePre<Host<WasiP1Ctx>>>),
    Component(Arc<Component>),
}

enum Component {
    /// `wasi:cli/run` 0.2.
    Plain(p2::bindings::CommandPre<Host<System>>),
    /// `wasi:cli/run` 0.3.
    Concurrent(p3::bindings::CommandPre<Host<System>>),
}

impl Command {
    pub(super) fn module(engine: Arc<Engine>, module: &Module) -> Result<Self, InvokeError> {
        let pre = module_linker(&engine)?.instantiate_pre(module).map_err(unlinkable)?;
        let functions = Core::functions_of(Arc::clone(&engine), module)?;
        let functions = (!functions.exports.is_empty()).then(|| Arc::new(functions));
        Ok(Self { engine, instance: Instance::Module(Arc::new(pre)), functions })
    }

    pub(super) fn plain(engine: Arc<Engine>, pre: ComponentPre) -> wasmtime::Result<Self> {
        let component = Component::Plain(p2::bindings::CommandPre::new(pre)?);
        Ok(Self::component(engine, component))
    }

    pub(super) fn concurrent(engine: Arc<Engine>, pre: ComponentPre) -> wasmtime::Result<Self> {
        let component = Component::Concurrent(p3::bindings::CommandPre::new(pre)?);
        Ok(Self::component(engine, component))
    }

    fn component(engine: Arc<Engine>, component: Component) -> Self {
        Self { engine, instance: Instance::Component(Arc::new(component)), functions: None }
    }

    /// Runs the command, or one of its functions if the caller or the configuration names one.
    pub(super) fn call(self: Arc<Self>, call: Call) -> CallFuture {
        let config = &call.deployment.resolved.config;
        let Some(export) = call.invocation.function.export().or(config.export.as_deref()) else {
            return Box::pin(async move { self.start(call).await });
        };
        match &self.functions {
            Some(functions) => Arc::clone(functions).call(call),
            None => {
                let name = call.invocation.function.name();
                let detail = format!("function {name} is a command and has no export {export:?}; leave the export out");
                Box::pin(ready(Err(InvokeError::new(ErrorKind::NotFound, detail))))
            }
        }
    }

    /// The linked code that instances of the command are made from.
    #[cfg(feature = "compiler")]
    pub(super) fn source(&self) -> (&Arc<Engine>, Source<'_>) {
        let source = match &self.instance {
            Instance::Module(pre) => Source::Module(pre),
            Instance::Component(component) => Source::Component(match &**component {
                Component::Plain(pre) => pre.instance_pre(),
                Component::Concurrent(pre) => pre.instance_pre(),
            }),
        };
        (&self.engine, source)
    }

    /// The command's numeric functions.
    #[cfg(feature = "compiler")]
    pub(super) fn exports(&self) -> &[Export] {
        self.functions.as_ref().map_or(&[], |functions| &functions.exports)
    }

    async fn start(&self, call: Call) -> Result<Response, InvokeError> {
        let caller = Caller::of(&call.invocation);
        let time_limit = call.deployment.time_limit(&caller);
        let Call { invocation, deployment, began, stderr, guards, .. } = call;
        let Resolved { config, limits, .. } = &deployment.resolved;
        let variables = cgi::variables(&invocation.event, &invocation.id);
        let (input, arguments) = invocation.event.into_parts();
        let body = match input.into_body() {
            body if body.is_known_empty() => Body::from(arguments.join("/")),
            body => body,
        };
        let stdin = Stdin::new(body.limited(limits.max_request.as_u64()));
        let stdout = Stdout::new(limits.max_response.as_u64());
        let mut wasi = match &self.instance {
            Instance::Module(_) => deployment.granted.wasi_of_module()?,
            Instance::Component(_) => deployment.granted.wasi()?,
        };
        wasi.envs(&variables).arg(invocation.function.name().as_str()).args(&config.args);
        let stderr = Stderr::new(&caller, stderr);
        wasi.stdin(stdin.clone()).stdout(stdout.clone()).stderr(stderr.clone());
        let guest = self.run(wasi, &deployment, caller, began);
        let guest = supervise(guest, began, time_limit, invocation.report.clone())
            .with_reader(stderr.waits())
            .explained_by(&deployment.symbols);
        let immediate = invocation.buffering == Buffering::Off || config.content_type.is_some();
        let running = Running { guest: Some((guest, guards)), stdin, stdout, report: invocation.report };
        running.respond(immediate, config, time_limit.due(began)).await
    }

    fn run(&self, mut wasi: WasiCtxBuilder, deployment: &Deployment, caller: Caller, began: Instant) -> CommandFuture {
        let memory = deployment.resolved.limits.memory;
        match &self.instance {
            Instance::Module(pre) => {
                let pre = Arc::clone(pre);
                let mut store = self.engine.store(wasi.build_p1(), memory, caller);
                Box::pin(async move {
                    let ran = run_module(&pre, &mut store, began).await;
                    ran.or_else(success_if_exit_zero).map_err(|error| fault(error, &store))
                })
            }
            Instance::Component(component) => {
                let component = Arc::clone(component);
                let system = System::new(wasi, &deployment.granted, &caller);
                let mut store = self.engine.store(system, memory, caller);
                Box::pin(async move {
                    let ran = component.run(&mut store, began).await;
                    ran.or_else(success_if_exit_zero).map_err(|error| fault(error, &store))
                })
            }
        }
    }
}

/// A running command. It is ready when the command has ended.
type CommandFuture = BoxFuture<'static, Result<(), Fault>>;

async fn run_module(
    pre: &InstancePre<Host<WasiP1Ctx>>,
    store: &mut Store<Host<WasiP1Ctx>>,
    began: Instant,
) -> wasmtime::Result<()> {
    let instance = pre.instantiate_async(&mut *store).await?;
    let start = instance.get_typed_func::<(), ()>(&mut *store, "_start")?;
    store.data().instantiated(began);
    start.call_async(store, ()).await
}

impl Component {
    async fn run(&self, store: &mut Store<Host<System>>, began: Instant) -> wasmtime::Result<()> {
        let ran = match self {
            Self::Plain(pre) => {
                let command = pre.instantiate_async(&mut *store).await?;
                store.data().instantiated(began);
                command.wasi_cli_run().call_run(store).await?
            }
            Self::Concurrent(pre) => {
                let command = pre.instantiate_async(&mut *store).await?;
                store.data().instantiated(began);
                store.run_concurrent(async move |accessor| command.wasi_cli_run().call_run(accessor).await).await??
            }
        };
        // `run` returns a result without a payload, so the exit code is not known.
        ran.map_err(|()| I32Exit(1).into())
    }
}

fn success_if_exit_zero(error: wasmtime::Error) -> wasmtime::Result<()> {
    match error.downcast_ref() {
        Some(I32Exit(0)) => Ok(()),
        _ => Err(error),
    }
}

/// A running command. When it is dropped, it notes in the report how many bytes the guest read and wrote.
struct Running {
    /// The guest, and the values that are kept for it. `None` when the guest has ended.
    guest: Option<(Supervised<CommandFuture>, CallGuards)>,
    stdin: Stdin,
    stdout: Stdout,
    report: ReportHandle,
}

impl Running {
    /// Runs the guest until its response can begin: when the guest has ended or has written enough.
    async fn respond(
        mut self,
        immediate: bool,
        config: &FunctionConfig,
        due: Option<Instant>,
    ) -> Result<Response, InvokeError> {
        let enough = if immediate { 1 } else { WINDOW };
        let failure = poll_fn(|context| self.poll_output(context, enough)).await.err();
        let report = self.report.clone();
        let output = self.stdout.take();
        // If an `immediate` guest wrote before it failed, its response begins and then breaks off. Otherwise timing would
        // decide whether the caller gets a response or an error.
        let failure = match failure {
            Some(failure) if output.is_empty() || !immediate => return Err(failure),
            failure => failure,
        };
        let whole = self.guest.is_none() && failure.is_none();
        let media_type = media_type(config, &output, whole);
        let body = match whole {
            true => Body::from(output),
            false => streaming::body(OutputBody { bytes: output, running: self, failure }, due, report.clone()),
        };
        Ok(Response::new(media_type, body, report))
    }

    /// Runs the guest until it has ended or has written at least `enough` bytes that nobody has taken.
    fn poll_output(&mut self, context: &mut Context<'_>, enough: usize) -> Poll<Result<(), InvokeError>> {
        let Some((guest, _)) = &mut self.guest else {
            return Poll::Ready(Ok(()));
        };
        match Pin::new(guest).poll(context) {
            Poll::Pending if self.stdout.len() >= enough => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
            Poll::Ready(ended) => {
                self.guest = None;
                // If the event broke off or the output was too large, that is why the guest failed.
                let cause = self.stdin.take_failure().or_else(|| self.stdout.take_failure());
                Poll::Ready(cause.map_or(ended, Err))
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

/// The response's body of a guest that had not ended when its response began.
struct OutputBody {
    /// Output that was taken and not read yet.
    bytes: Bytes,
    failure: Option<InvokeError>,
    running: Running,
}

impl GuestBody for OutputBody {
    fn guards(&self) -> Option<&CallGuards> {
        self.running.guest.as_ref().map(|(_, guards)| guards)
    }

    fn pause(&mut self) {
        if let Some((guest, _)) = &mut self.running.guest {
            guest.pause();
        }
    }

    fn stop(self: Box<Self>) {}
}

impl http_body::Body for OutputBody {
    type Data = Bytes;
    type Error = InvokeError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, InvokeError>>> {
        let mut pending = false;
        if self.bytes.is_empty() && self.failure.is_none() {
            match self.running.poll_output(context, 1) {
                Poll::Ready(ended) => self.failure = ended.err(),
                Poll::Pending => pending = true,
            }
            self.bytes = self.running.stdout.take();
        }
        if !self.bytes.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.bytes)))));
        }
        if pending { Poll::Pending } else { Poll::Ready(self.failure.take().map(Err)) }
    }
}

/// The configured media type, or else the one that fits the output: JSON, other text, or octets. If the output is not
/// `whole`, its beginning decides.
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
        // The output ends within a character.
        Err(error) => !whole && error.error_len().is_none(),
    }
}
