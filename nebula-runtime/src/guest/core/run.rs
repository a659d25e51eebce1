//! One call of a function, from its instance to its results.

use bytesize::ByteSize;
use tokio::time::Instant;
use wasmtime::{Extern, Func, Instance, InstancePre, ModuleExport, Store, Val};

use super::function::Function;
use crate::{
    call::{Caller, ReportHandle},
    engine::{Engine, Fault, Host, fault},
};

/// One call of a function.
pub(super) struct Run<'a> {
    pub(super) engine: &'a Engine,
    /// The function that a module of a WASI reactor wants to be called first.
    pub(super) initialize: Option<&'a ModuleExport>,
    pub(super) function: &'a Function,
    /// The function's parameters, and behind them room for its results.
    pub(super) values: &'a mut [Val],
    pub(super) began: Instant,
    pub(super) report: &'a ReportHandle,
    pub(super) bytes_in: u64,
    /// How much its guest may have, in bytes.
    pub(super) memory: ByteSize,
    /// Whether another run would end in the same way: `false` once the system refused memory to the guest.
    pub(super) is_repeatable: bool,
}

impl Run<'_> {
    /// Calls a function that imports nothing: inline at first, where that is worthwhile.
    pub(super) async fn pure(&mut self, pre: &InstancePre<Host<()>>, mut caller: Caller) -> Result<(), Fault> {
        if self.function.inline.are_worthwhile() && self.engine.fits_thread() {
            let mut store = self.engine.unyielding_store((), self.memory, caller);
            let attempt = self.attempt(pre, &mut store);
            self.note_repeatable(&store);
            if self.function.inline.has_ended(&attempt, self.began) {
                return attempt.map_err(|error| fault(error, &store));
            }
            caller = store.data().caller().clone();
            self.began = Instant::now();
        }
        // Boxed, as few calls need it: it is large, and every call's future would have room for it.
        Box::pin(self.yielding(pre, (), caller)).await
    }

    /// Calls a function that may yield.
    pub(super) async fn yielding<W: Send + 'static>(
        &mut self,
        pre: &InstancePre<Host<W>>,
        wasi: W,
        caller: Caller,
    ) -> Result<(), Fault> {
        let mut store = self.engine.store(wasi, self.memory, caller);
        let ran = self.run(pre, &mut store).await;
        self.note_repeatable(&store);
        ran.map_err(|error| fault(error, &store))
    }

    async fn run<W: Send + 'static>(
        &mut self,
        pre: &InstancePre<Host<W>>,
        store: &mut Store<Host<W>>,
    ) -> wasmtime::Result<()> {
        let instance = pre.instantiate_async(&mut *store).await?;
        if let Some(initialize) = self.initialize(store, instance) {
            initialize.call_async(&mut *store, &[], &mut []).await?;
        }
        let callee = self.callee(store, instance)?;
        let (params, results) = self.values.split_at_mut(self.function.params.len());
        callee.call_async(&mut *store, params, results).await
    }

    /// [`Run::run`] on this thread's own stack, from which the guest cannot yield.
    fn attempt(&mut self, pre: &InstancePre<Host<()>>, store: &mut Store<Host<()>>) -> wasmtime::Result<()> {
        let instance = pre.instantiate(&mut *store)?;
        if let Some(initialize) = self.initialize(store, instance) {
            initialize.call(&mut *store, &[], &mut [])?;
        }
        let callee = self.callee(store, instance)?;
        let (params, results) = self.values.split_at_mut(self.function.params.len());
        callee.call(&mut *store, params, results)
    }

    fn note_repeatable<W>(&mut self, store: &Store<Host<W>>) {
        self.is_repeatable &= !store.data().limiter.has_lacked_system_memory();
    }

    fn initialize<W: 'static>(&self, store: &mut Store<Host<W>>, instance: Instance) -> Option<Func> {
        instance.get_module_export(store, self.initialize?)?.into_func()
    }

    /// The function itself, of an instance that is ready.
    fn callee<W: 'static>(&self, store: &mut Store<Host<W>>, instance: Instance) -> wasmtime::Result<Func> {
        self.report.update(|report| {
            report.instantiating = self.began.elapsed();
            report.bytes_in = self.bytes_in;
        });
        let callee = instance.get_module_export(store, &self.function.export).and_then(Extern::into_func);
        callee.ok_or_else(|| wasmtime::format_err!("export {:?} is gone", self.function.name))
    }
}
