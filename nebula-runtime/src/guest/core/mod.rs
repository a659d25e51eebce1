//! Core modules: numeric exports, called with numbers.

mod function;
mod inline;
mod number;
mod pure;
mod run;
mod validation;
mod values;

use std::{future::ready, pin::pin, sync::Arc};

use function::{Function, is_callable};
use http::HeaderValue;
use number::Number;
use run::Run;
use wasmtime::{InstancePre, Linker, Module, ModuleExport, ValType};
use wasmtime_wasi::p1::WasiP1Ctx;

#[cfg(feature = "compiler")]
use super::source::Source;
use super::{
    call::{Call, CallFuture},
    methods,
    unlinkable::unlinkable,
};
use crate::{
    call::{Caller, ErrorKind, Invocation, InvokeError, Resolved, Response},
    engine::{Engine, Host, supervise},
    function::{Export, FunctionConfig, FunctionRef, default_export, some_of},
    host::{self, Stderr},
};

/// A core module that exports functions of numbers.
pub(crate) struct Core {
    engine: Arc<Engine>,
    instance: Instance,
    initialize: Option<ModuleExport>,
    functions: Vec<Function>,
    pub(super) exports: Vec<Export>,
}

enum Instance {
    Pure(InstancePre<Host<()>>),
    Wasi(InstancePre<Host<WasiP1Ctx>>),
}

impl Core {
    pub(super) fn new(engine: Arc<Engine>, module: &Module) -> Result<Self, InvokeError> {
        let core = Self::functions_of(engine, module)?;
        if core.functions.is_empty() {
            let detail =
                "the module exports no function of numbers, no _start and no component; there is nothing to call";
            return Err(InvokeError::new(ErrorKind::InvalidModule, detail));
        }
        Ok(core)
    }

    /// The same of a module that need not export any.
    pub(super) fn functions_of(engine: Arc<Engine>, module: &Module) -> Result<Self, InvokeError> {
        let instance = match module.imports().len() {
            0 => Instance::Pure(Linker::new(engine.wasmtime()).instantiate_pre(module).map_err(unlinkable)?),
            _ => Instance::Wasi(host::module_linker(&engine)?.instantiate_pre(module).map_err(unlinkable)?),
        };
        let functions: Vec<_> =
            module.exports().filter_map(|export| Function::new(module, export.name(), &export.ty())).collect();
        let exports = functions.iter().filter_map(|function| signature(module, &function.name)).collect();
        Ok(Self { engine, instance, initialize: module.get_export_index("_initialize"), functions, exports })
    }

    /// The linked code that instances of the module are made from.
    #[cfg(feature = "compiler")]
    pub(super) fn source(&self) -> (&Arc<Engine>, Source<'_>) {
        let source = match &self.instance {
            Instance::Pure(pre) => Source::Pure(pre),
            Instance::Wasi(pre) => Source::Module(pre),
        };
        (&self.engine, source)
    }

    /// Not an `async fn`: that would carry the whole of `call`, which is large, beside the parts of it that are needed.
    pub(super) fn call(self: Arc<Self>, call: Call) -> CallFuture {
        if let Some(answer) = methods::instead_of_call(&call.invocation) {
            return Box::pin(ready(answer));
        }
        if let (Instance::Pure(_), Some(results)) = (&self.instance, &call.deployment.results) {
            let results = Arc::clone(results);
            return Box::pin(self.call_pure(results, call));
        }
        let Call { invocation, deployment, began, stderr, guards, .. } = call;
        let Invocation { function: reference, event, id, trace, deadline, report, stderr: lines, .. } = invocation;
        let caller = Caller { id, trace, deadline, report: report.clone(), stderr: lines };
        let time_limit = deployment.time_limit(&caller);
        Box::pin(async move {
            let _guards = guards;
            let Resolved { config, limits, .. } = &deployment.resolved;
            let function = self.function(&reference, config)?;
            let (mut values, bytes_in) = values::params(function, event, limits.max_request.as_u64()).await?;
            {
                let memory = limits.memory;
                let mut run = Run {
                    engine: &self.engine,
                    initialize: self.initialize.as_ref(),
                    function,
                    values: &mut values,
                    began,
                    report: &report,
                    bytes_in,
                    memory,
                    is_repeatable: true,
                };
                match &self.instance {
                    // Pinned where it is made: it is large, and handing it on would copy it.
                    Instance::Pure(pre) => {
                        let guest = pin!(run.pure(pre, caller));
                        let guest = supervise(guest, began, time_limit, report.clone());
                        guest.explained_by(&deployment.symbols).await?;
                    }
                    Instance::Wasi(pre) => {
                        let stderr = Stderr::new(&caller, stderr);
                        let mut wasi = deployment.granted.wasi()?;
                        host::give_output(&mut wasi, &stderr);
                        let guest = Box::pin(run.yielding(pre, wasi.build_p1(), caller));
                        let guest = supervise(guest, began, time_limit, report.clone());
                        guest.with_reader(stderr.waits()).explained_by(&deployment.symbols).await?;
                    }
                }
            }
            let body = values::response_body(function, &values)?;
            report.update(|report| report.bytes_out = body.len() as u64);
            Ok(Response::new(HeaderValue::from_static("application/json"), body, report))
        })
    }

    /// The function that a call names, or the one that it means without naming it.
    fn function(&self, reference: &FunctionRef, config: &FunctionConfig) -> Result<&Function, InvokeError> {
        let names = self.functions.iter().map(|function| function.name.as_str());
        let export = reference.export().or_else(|| default_export(reference.name(), config, names));
        let found = export.and_then(|export| self.functions.iter().find(|function| function.name == export));
        found.ok_or_else(|| self.no_such_function(reference, config))
    }

    fn no_such_function(&self, reference: &FunctionRef, config: &FunctionConfig) -> InvokeError {
        let named = reference.export().or(config.export.as_deref());
        match named.and_then(|export| self.uncallable(export)) {
            Some(detail) => InvokeError::new(ErrorKind::InvalidInput, detail),
            None => self.no_such_export(reference, config),
        }
    }

    /// Why an export cannot be called, where it is a function that takes or returns more than numbers.
    pub(super) fn uncallable(&self, export: &str) -> Option<String> {
        let module = match &self.instance {
            Instance::Pure(pre) => pre.module(),
            Instance::Wasi(pre) => pre.module(),
        };
        let ty = module.get_export(export)?;
        let ty = ty.func().filter(|ty| !is_callable(ty))?;
        let strange = ty.params().chain(ty.results()).find(|ty| Number::of(ty).is_none())?;
        let strange = if strange.is_ref() { "references" } else { "vectors" };
        Some(format!("export {export:?} takes or returns {strange}; only numbers (i32, i64, f32, f64) can be passed"))
    }

    fn no_such_export(&self, reference: &FunctionRef, config: &FunctionConfig) -> InvokeError {
        let name = reference.name();
        let exports = some_of(&self.exports);
        let detail = match reference.export().or(config.export.as_deref()) {
            Some(export) => format!("function {name} has no export {export:?}; it has: {exports}"),
            None => format!("function {name} has several exports; name one as {name}:EXPORT. It has: {exports}"),
        };
        InvokeError::new(ErrorKind::NotFound, detail)
    }
}

fn signature(module: &Module, name: &str) -> Option<Export> {
    let ty = module.get_export(name)?;
    let ty = ty.func()?;
    let names = |types: &mut dyn Iterator<Item = ValType>| types.map(|ty| ty.to_string()).collect();
    Some(Export {
        name: name.to_owned(),
        params: names(&mut ty.params()),
        results: names(&mut ty.results()),
        typed: None,
    })
}

#[cfg(all(test, feature = "compiler"))]
mod tests {
    use std::thread;

    use crate::{
        call::{ErrorKind, Event, Invocation, Invoker as _},
        function::FunctionName,
        runtime::Runtime,
        store::Store,
    };

    #[test]
    fn a_guest_that_overflows_its_stack_does_no_harm_to_a_thread_with_a_smaller_one() {
        const ENDLESS: &[u8] = b"(module (func $f (export \"f\") (result i32) (i32.add (i32.const 1) (call $f))))";
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let runtime = Runtime::builder(Store::memory()).concurrency(1).build().unwrap();
        let name: FunctionName = "endless".parse().unwrap();
        tokio.block_on(runtime.publish(&name, ENDLESS).into_future()).unwrap();
        let call = move || tokio.block_on(runtime.invoke(Invocation::new(name, Event::default()))).map(drop);
        let called = thread::Builder::new().stack_size(400 << 10).spawn(call).unwrap().join().unwrap();
        assert_eq!(called.unwrap_err().kind(), ErrorKind::LimitExceeded);
    }
}
