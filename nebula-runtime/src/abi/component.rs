//! What components of all kinds share: their system interface, and how their kind is told.

use std::sync::Arc;

use wasmtime::component::{Component, InstancePre, Linker, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::{
    Guest, client,
    command::Command,
    http::Http,
    outgoing::Outgoing,
    stdio::{self, Stderr},
    typed::Typed,
    unlinkable,
};
use crate::{
    ErrorKind, InvokeError,
    deployments::Deployment,
    engine::{Engine, Host},
};

/// The system interface of a component: WASI as far as it is granted, and HTTP to where it may go.
pub(crate) struct System {
    wasi: WasiCtx,
    table: ResourceTable,
    http: WasiHttpCtx,
    outgoing: Outgoing,
}

impl System {
    /// What a deployment grants, for a guest that reads no stdin.
    pub(super) fn without_input(deployment: &Deployment, stderr: &Stderr) -> Result<Self, InvokeError> {
        let wasi = stdio::without_input(&deployment.manifest.config, stderr)?;
        Ok(Self::new(wasi, deployment.outgoing.clone()))
    }

    pub(super) fn new(mut wasi: WasiCtxBuilder, outgoing: Outgoing) -> Self {
        Self { wasi: wasi.build(), table: ResourceTable::new(), http: WasiHttpCtx::new(), outgoing }
    }
}

impl WasiView for Host<System> {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi.wasi, table: &mut self.wasi.table }
    }
}

impl WasiHttpView for Host<System> {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let System { table, http, outgoing, .. } = &mut self.wasi;
        WasiHttpCtxView { ctx: http, table, hooks: outgoing }
    }
}

/// Tells what kind of guest a component is by what it exports.
pub(super) fn recognise(engine: Arc<Engine>, component: &Component) -> Result<Guest, InvokeError> {
    let pre = linker(&engine)?.instantiate_pre(component).map_err(unlinkable)?;
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
        let detail = "the component's export is not what its name and version stand for";
        InvokeError::new(ErrorKind::InvalidModule, detail).with_source(error)
    })
}

/// An instance to be, with everything that a component may import.
pub(super) type Pre = InstancePre<Host<System>>;

fn linker(engine: &Engine) -> Result<Linker<Host<System>>, InvokeError> {
    let mut linker = Linker::new(engine.wasmtime());
    add_wasi(&mut linker, engine)
        .map_err(|error| InvokeError::new(ErrorKind::Internal, "failed to set up WASI").with_source(error))?;
    Ok(linker)
}

fn add_wasi(linker: &mut Linker<Host<System>>, engine: &Engine) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    client::add_plain(linker)?;
    if engine.is_concurrent() {
        wasmtime_wasi::p3::add_to_linker(linker)?;
        client::add_concurrent(linker)?;
    }
    Ok(())
}
