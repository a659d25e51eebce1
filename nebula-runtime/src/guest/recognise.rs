//! Recognises the kind of guest that loaded code is.

use std::{future::ready, sync::Arc};

use wasmtime::component::Component;

use super::{
    call::{Call, CallFuture},
    cloudevents,
    command::Command,
    core::Core,
    deployment::Deployment,
    http::Http,
    methods,
    typed::Typed,
    unlinkable::unlinkable,
};
use crate::{
    call::{ErrorKind, Invocation, InvokeError, Response},
    engine::{Code, Engine},
    host,
};

/// A module that is loaded and can be called. All invocations of the module share it. Cheap to clone.
#[derive(Clone)]
pub(crate) enum Guest {
    Core(Arc<Core>),
    Command(Arc<Command>),
    Http(Arc<Http>),
    Typed(Arc<Typed>),
}

impl Guest {
    /// Recognises the kind of guest that `code` is, and links it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidModule`] if it is no kind of guest, or has an import that Nebula does not provide.
    pub(crate) fn recognise(engine: Arc<Engine>, code: Code) -> Result<Self, InvokeError> {
        Ok(match code {
            Code::Module(module) if module.get_export("_start").is_some() => {
                Self::Command(Arc::new(Command::module(engine, &module)?))
            }
            Code::Module(module) => Self::Core(Arc::new(Core::new(engine, &module)?)),
            Code::Component(component) => recognise_component(engine, &component)?,
        })
    }

    /// Calls the guest.
    ///
    /// # Contract, for each kind
    /// - A fresh instance serves each call, unless an HTTP handler's configuration reuses instances.
    /// - `Call::guards` is dropped when the guest has ended, after its instance is freed.
    /// - Dropping the future, or the response's body, stops the guest and frees its instance.
    /// - The call writes its measurements into the invocation's report.
    pub(crate) fn call(self, call: Call) -> CallFuture {
        let unwraps = call.deployment.resolved.config.cloudevents && !matches!(self, Self::Http(_));
        if unwraps && cloudevents::is_structured(&call.invocation.event) {
            return Box::pin(self.call_with_data(call));
        }
        self.call_as_it_is(call)
    }

    /// The answer to a call whose result is kept: without an instance, and before admission.
    pub(crate) fn known_answer(&self, invocation: &Invocation, deployment: &Deployment) -> Option<Response> {
        match self {
            Self::Core(core) => core.known_answer(invocation, deployment),
            Self::Command(_) | Self::Http(_) | Self::Typed(_) => None,
        }
    }

    /// Calls the guest with the data of a CloudEvent.
    async fn call_with_data(self, mut call: Call) -> Result<Response, InvokeError> {
        let limit = call.deployment.resolved.limits.max_request.as_u64();
        cloudevents::unwrap(&mut call.invocation.event, limit).await?;
        self.call_as_it_is(call).await
    }

    fn call_as_it_is(self, call: Call) -> CallFuture {
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

/// Recognises the kind of guest that a component is by its exports.
fn recognise_component(engine: Arc<Engine>, component: &Component) -> Result<Guest, InvokeError> {
    let pre = host::component_linker(&engine, component)?.instantiate_pre(component).map_err(unlinkable)?;
    let ty = component.component_type();
    let exported = |interface: &str| ty.exports(engine.wasmtime()).any(|(name, _)| name.starts_with(interface));
    let recognised = if exported("wasi:http/handler@0.3.") {
        Http::concurrent(engine, pre).map(Arc::new).map(Guest::Http)
    } else if exported("wasi:http/incoming-handler@0.2.") {
        Http::plain(engine, pre).map(Arc::new).map(Guest::Http)
    } else if exported("wasi:cli/run@0.3.") {
        Command::concurrent(engine, pre).map(Arc::new).map(Guest::Command)
    } else if exported("wasi:cli/run@0.2.") {
        Command::plain(engine, pre).map(Arc::new).map(Guest::Command)
    } else {
        return Typed::new(engine, component, pre).map(Arc::new).map(Guest::Typed);
    };
    recognised.map_err(|error| {
        let detail = "the component's export does not have the type that its name and version stand for";
        InvokeError::new(ErrorKind::InvalidModule, detail).with_source(error)
    })
}
