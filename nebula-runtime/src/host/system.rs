//! The system interface of a component.

use wasmtime::component::{InstancePre, Linker, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::{
    outgoing::{self, Outgoing},
    services::Services,
    stdio::{self, Stderr},
};
use crate::{
    call::{Caller, ErrorKind, InvokeError},
    engine::{Engine, Host},
};

/// The system interface of a component: WASI as far as it is granted, and HTTP to where it may go.
pub(crate) struct System {
    wasi: WasiCtx,
    table: ResourceTable,
    http: WasiHttpCtx,
    pub(super) outgoing: Outgoing,
}

impl System {
    /// What a function is granted, for a guest that reads no stdin and serves `caller`.
    pub(crate) fn without_input(services: &Services, stderr: &Stderr, caller: &Caller) -> Result<Self, InvokeError> {
        let mut wasi = services.wasi()?;
        stdio::give_output(&mut wasi, stderr);
        Ok(Self::new(wasi, services, caller))
    }

    pub(crate) fn new(mut wasi: WasiCtxBuilder, services: &Services, caller: &Caller) -> Self {
        let outgoing = services.outgoing.give(caller);
        Self { wasi: wasi.build(), table: ResourceTable::new(), http: WasiHttpCtx::new(), outgoing }
    }

    /// Passes the interface to the next invocation of the instance.
    pub(crate) fn pass_to(&mut self, caller: &Caller) {
        self.outgoing = self.outgoing.give(caller);
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

/// An instance to be, with everything that a component may import.
pub(crate) type Pre = InstancePre<Host<System>>;

/// The imports that a component may have.
pub(crate) fn component_linker(engine: &Engine) -> Result<Linker<Host<System>>, InvokeError> {
    let mut linker = Linker::new(engine.wasmtime());
    link(&mut linker, engine)
        .map_err(|error| InvokeError::new(ErrorKind::Internal, "failed to set up WASI").with_source(error))?;
    Ok(linker)
}

fn link(linker: &mut Linker<Host<System>>, engine: &Engine) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    outgoing::link_plain(linker)?;
    if engine.is_concurrent() {
        wasmtime_wasi::p3::add_to_linker(linker)?;
        outgoing::link_concurrent(linker)?;
    }
    Ok(())
}
