//! The system interface of a component.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::component::{InstancePre, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::{
    granted::{Containers, Given, Granted, Network, Settings, Stores},
    socket_places::SocketPlaces,
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
    /// Made when the guest opens its first blob.
    blob_places: Option<Arc<Semaphore>>,
    socket_places: SocketPlaces,
}

/// How many blobs one instance may read and write at once.
pub(super) const BLOBS_AT_ONCE: usize = 16;

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
        Self {
            wasi: wasi.build(),
            table: ResourceTable::new(),
            http: WasiHttpCtx::new(),
            granted,
            given,
            blob_places: None,
            socket_places: SocketPlaces::default(),
        }
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
        self.granted.settings()
    }

    pub(super) fn stores(&self) -> &Stores {
        self.granted.stores()
    }

    pub(super) fn containers(&self) -> &Containers {
        self.granted.containers()
    }

    /// A place for a blob that the guest reads or writes, of which it may have [`BLOBS_AT_ONCE`]. Each may hold bytes
    /// in the memory of the host.
    pub(super) fn blob_place(&mut self) -> Option<OwnedSemaphorePermit> {
        let places = self.blob_places.get_or_insert_with(|| Arc::new(Semaphore::new(BLOBS_AT_ONCE)));
        Arc::clone(places).try_acquire_owned().ok()
    }

    /// The sockets that the guest has.
    pub(super) fn socket_places(&mut self) -> &mut SocketPlaces {
        &mut self.socket_places
    }

    /// How many more characters the guest may write to the log.
    pub(super) fn log_left(&mut self) -> &mut usize {
        &mut self.given.log_left
    }

    /// How many more bytes the spans that the guest makes may have.
    pub(super) fn spans_left(&mut self) -> &mut usize {
        &mut self.given.spans_left
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
