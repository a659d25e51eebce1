//! The system interface of a component.

use std::sync::Arc;

use wasmtime::component::{InstancePre, Linker, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::{
    outgoing,
    services::{Given, Services},
    stdio::{self, Stderr},
};
use crate::{
    call::{Caller, ErrorKind, InvokeError},
    engine::{Engine, Host},
};

/// The system interface of one instance of a component: WASI and outgoing HTTP, as far as the function's configuration
/// grants them.
pub(crate) struct System {
    wasi: WasiCtx,
    table: ResourceTable,
    http: WasiHttpCtx,
    services: Arc<Services>,
    given: Given,
}

impl System {
    /// The interface of an instance that reads no stdin and serves `caller`.
    pub(crate) fn without_input(
        services: &Arc<Services>,
        stderr: &Stderr,
        caller: &Caller,
    ) -> Result<Self, InvokeError> {
        let mut wasi = services.wasi()?;
        stdio::give_output(&mut wasi, stderr);
        Ok(Self::new(wasi, services, caller))
    }

    /// The interface of an instance that serves `caller`, with the standard streams that `wasi` has.
    pub(crate) fn new(mut wasi: WasiCtxBuilder, services: &Arc<Services>, caller: &Caller) -> Self {
        let (services, given) = (Arc::clone(services), services.give(caller));
        Self { wasi: wasi.build(), table: ResourceTable::new(), http: WasiHttpCtx::new(), services, given }
    }

    /// Makes the interface serve `caller`, the next invocation of the instance.
    pub(crate) fn pass_to(&mut self, caller: &Caller) {
        self.given = self.services.give(caller);
    }
}

impl WasiView for Host<System> {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi.wasi, table: &mut self.wasi.table }
    }
}

impl WasiHttpView for Host<System> {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let System { table, http, given, .. } = &mut self.wasi;
        WasiHttpCtxView { ctx: http, table, hooks: &mut given.outgoing }
    }
}

/// A component that is linked and can be instantiated.
pub(crate) type ComponentPre = InstancePre<Host<System>>;

/// A linker with all that a component may import.
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
