//! The system interface of a component.

use std::sync::Arc;

use wasmtime::component::{InstancePre, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::{
    granted::{Given, Granted, Network, Settings, Stores},
    stdio::{self, Stderr},
};
use crate::{
    call::{Caller, InvokeError},
    engine::Host,
};

/// The system interface of one instance of a component: WASI and outgoing HTTP, as far as the function's configuration
/// grants them.
pub(crate) struct System {
    wasi: WasiCtx,
    table: ResourceTable,
    http: WasiHttpCtx,
    granted: Arc<Granted>,
    given: Given,
}

impl System {
    /// The interface of an instance that reads no stdin and serves `caller`.
    pub(crate) fn without_input(granted: &Arc<Granted>, stderr: &Stderr, caller: &Caller) -> Result<Self, InvokeError> {
        let mut wasi = granted.wasi()?;
        stdio::give_output(&mut wasi, stderr);
        Ok(Self::new(wasi, granted, caller))
    }

    /// The interface of an instance that serves `caller`, with the standard streams that `wasi` has.
    pub(crate) fn new(mut wasi: WasiCtxBuilder, granted: &Arc<Granted>, caller: &Caller) -> Self {
        let (granted, given) = (Arc::clone(granted), granted.give(caller));
        Self { wasi: wasi.build(), table: ResourceTable::new(), http: WasiHttpCtx::new(), granted, given }
    }

    /// Makes the interface serve `caller`, the next invocation of the instance.
    pub(crate) fn pass_to(&mut self, caller: &Caller) {
        self.given = self.granted.give(caller);
    }

    /// The handles that the instance has.
    pub(super) fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }

    pub(super) fn network(&self) -> &Network {
        self.granted.network()
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.given.settings
    }

    pub(super) fn stores(&self) -> &Stores {
        &self.given.stores
    }

    /// How many more characters the guest may write to the log.
    pub(super) fn log_left(&mut self) -> &mut usize {
        &mut self.given.log_left
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
