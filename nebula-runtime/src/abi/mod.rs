//! The kinds of guests: how each is recognised, and how an event reaches it.
//!
//! A kind is one file with a type, its variant of [`Guest`], and one arm in [`Guest::recognise`].

mod cgi;
mod client;
mod coding;
mod command;
mod component;
mod core;
#[cfg(feature = "compiler")]
mod describe;
mod http;
mod methods;
mod number;
mod outgoing;
mod stdio;
mod streaming;
mod toolchain;
mod typed;

use std::{future::ready, sync::Arc};

use futures_util::future::BoxFuture;
pub(crate) use http::Instances;
pub(crate) use outgoing::Outgoing;
use tokio::time::Instant;
use wasmtime::{Linker, Module, UnknownImportError};
use wasmtime_wasi::p1::WasiP1Ctx;

use crate::{
    ByteSize, ErrorKind, Export, Guards, Invocation, InvokeError, Limits, Response,
    deployments::Deployment,
    engine::{Allowance, Code, Engine, Host},
    gate::{Place, Registration},
    overdue::Evict,
};

/// Loaded code that can be called: one for each module, shared by all its invocations. Cheap to clone.
#[derive(Clone)]
pub(crate) enum Guest {
    Core(Arc<core::Core>),
    Command(Arc<command::Command>),
    Http(Arc<http::Http>),
    Typed(Arc<typed::Typed>),
}

/// What becomes of a call.
pub(crate) type Answer = BoxFuture<'static, Result<Response, InvokeError>>;

/// One call of a guest.
pub(crate) struct Call {
    pub(crate) invocation: Invocation,
    pub(crate) deployment: Arc<Deployment>,
    pub(crate) limits: Limits,
    /// How large a response may be that a guest of HTTP streams, in bytes, if that is limited.
    pub(crate) max_stream: Option<ByteSize>,
    /// When the call's own time began: that of loading is over.
    pub(crate) began: Instant,
    pub(crate) stderr: GuestStderr,
    /// To be kept until the guest has ended.
    pub(crate) held: Held,
}

/// What is kept until a guest has ended.
pub(crate) struct Held {
    /// What the layers attached to the invocation. Mostly to be dropped.
    pub(crate) guards: Guards,
    /// Where the function was let in.
    pub(crate) place: Place,
}

/// Where a guest's stderr goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GuestStderr {
    /// To the log, line by line, with the invocation's id.
    #[default]
    Log,
    /// To this process's own stderr, as it is: see [`stderr`](crate::stderr). A guest waits for its reader.
    Inherit,
}

impl Call {
    /// How long the guest may run.
    fn allowance(&self) -> Allowance {
        Allowance { timeout: self.limits.timeout, deadline: self.invocation.deadline }
    }
}

impl Held {
    /// Lets callers who queue for one of the places end `guest` from `due` on.
    fn register(&self, due: Instant, guest: &Arc<dyn Evict>) -> Vec<Registration> {
        let mut registrations = vec![self.place.register(due, guest)];
        self.guards.each_place(&mut |place| registrations.push(place.register(due, guest)));
        registrations
    }
}

impl Guest {
    /// Tells what kind of guest `code` is and makes it ready to be called.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidModule`] where it is of no kind, or imports what is not granted.
    pub(crate) fn recognise(engine: Arc<Engine>, code: Code) -> Result<Self, InvokeError> {
        Ok(match code {
            Code::Module(module) if module.get_export("_start").is_some() => {
                Self::Command(Arc::new(command::Command::module(engine, &module)?))
            }
            Code::Module(module) => Self::Core(Arc::new(core::Core::new(engine, &module)?)),
            Code::Component(component) => component::recognise(engine, &component)?,
        })
    }

    /// Calls it.
    ///
    /// # Contract, for each kind
    /// - A fresh instance serves each call.
    /// - What the call [holds](Held) is dropped when the guest has ended, and not before its instance is free.
    /// - Dropping the future, or the response's body, stops the guest and frees its instance.
    /// - The call notes in the invocation's report what it measures.
    pub(crate) fn call(self, call: Call) -> Answer {
        match self {
            Self::Core(core) => core.call(call),
            Self::Typed(typed) => Box::pin(async move { typed.call(call).await }),
            Self::Command(_) | Self::Http(_) if let Err(error) = methods::check(&call.invocation.event) => {
                Box::pin(ready(Err(error)))
            }
            Self::Command(command) => command.call(call),
            Self::Http(http) => http.call(call),
        }
    }
}

/// The imports that a core module may have: WASI preview 1, and the older `wasi_unstable`.
fn wasi_linker(engine: &Engine) -> Result<Linker<Host<WasiP1Ctx>>, InvokeError> {
    let mut linker = Linker::new(engine.wasmtime());
    wasmtime_wasi::p1::add_to_linker_async(&mut linker, |host: &mut Host<WasiP1Ctx>| &mut host.wasi)
        .and_then(|()| wasmtime_wasi::p0::add_to_linker_async(&mut linker, |host: &mut Host<WasiP1Ctx>| &mut host.wasi))
        .map_err(|error| InvokeError::new(ErrorKind::Internal, "failed to set up WASI").with_source(error))?;
    Ok(linker)
}

/// The names of some exports, as an error lists them: a module may have ten thousand.
pub(crate) fn some_of(exports: &[Export]) -> String {
    list_of(exports.iter().map(|export| export.name.as_str()))
}

fn list_of<'a>(mut names: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 20;

    let mut shown: Vec<_> = names.by_ref().take(SHOWN).collect();
    shown.extend(names.next().map(|_| "…"));
    shown.join(", ")
}

fn imports_wasi(module: &Module) -> bool {
    module.imports().any(|import| matches!(import.module(), "wasi_snapshot_preview1" | "wasi_unstable"))
}

/// The failure of a module that cannot be linked: it names what the module wants and does not get.
fn unlinkable(error: wasmtime::Error) -> InvokeError {
    let detail = match error.downcast_ref::<UnknownImportError>() {
        Some(import) => format!(
            "the module imports {}.{}, which Nebula does not provide; a function may import WASI and nothing else",
            import.module(),
            import.name()
        ),
        None => format!("the module cannot be linked: {error:#}"),
    };
    InvokeError::new(ErrorKind::InvalidModule, detail).with_source(error)
}
