//! Core modules: numeric exports, called with numbers.

use std::{io, pin::pin, sync::Arc};

use bytes::Bytes;
use http::HeaderValue;
use serde_json::value::RawValue;
use tokio::time::Instant;
use wasmtime::{Extern, ExternType, FuncType, InstancePre, Linker, Module, ModuleExport, Store, Val, ValType};
use wasmtime_wasi::p1::WasiP1Ctx;

use super::{Answer, Call, imports_wasi, number, some_of, stdio, unlinkable, wasi_linker};
use crate::{
    ErrorKind, Event, Export, FunctionConfig, FunctionRef, Invocation, InvokeError, Response,
    engine::{Engine, Host, fault, supervise},
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

struct Function {
    name: String,
    export: ModuleExport,
    params: Vec<ValType>,
    results: usize,
}

impl Core {
    pub(super) fn new(engine: Arc<Engine>, module: &Module) -> Result<Self, InvokeError> {
        let instance = if imports_wasi(module) {
            Instance::Wasi(wasi_linker(&engine)?.instantiate_pre(module).map_err(unlinkable)?)
        } else {
            Instance::Pure(Linker::new(engine.wasmtime()).instantiate_pre(module).map_err(unlinkable)?)
        };
        let functions: Vec<_> =
            module.exports().filter_map(|export| Function::new(module, export.name(), &export.ty())).collect();
        if functions.is_empty() {
            let detail =
                "the module exports no function of numbers, no _start and no component; there is nothing to call";
            return Err(InvokeError::new(ErrorKind::InvalidModule, detail));
        }
        let exports = functions.iter().filter_map(|function| signature(module, &function.name)).collect();
        Ok(Self { engine, instance, initialize: module.get_export_index("_initialize"), functions, exports })
    }

    /// Not an `async fn`: that would carry the whole of `call`, which is large, beside the parts of it that are needed.
    pub(super) fn call(self: Arc<Self>, call: Call) -> Answer {
        let Call { invocation, deployment, limits, began, stderr, place } = call;
        let Invocation { function: reference, event, id, report, .. } = invocation;
        Box::pin(async move {
            let _place = place;
            let config = &deployment.manifest.config;
            let function = self.function(&reference, config)?;
            let (values, bytes_in) = params(function, event, limits.max_request.as_u64()).await?;
            report.update(|report| report.bytes_in = bytes_in);
            let values = {
                // Pinned where it is made: it is large, and handing it on would copy it.
                let guest = pin!(async {
                    match &self.instance {
                        Instance::Pure(pre) => {
                            let mut store = self.engine.store((), limits.memory, &report);
                            let ran = self.run(pre, &mut store, began, function, values).await;
                            ran.map_err(|error| fault(error, store.data()))
                        }
                        Instance::Wasi(pre) => {
                            let wasi = stdio::without_input(config, &id, stderr)?.build_p1();
                            let mut store = self.engine.store(wasi, limits.memory, &report);
                            let ran = self.run(pre, &mut store, began, function, values).await;
                            ran.map_err(|error| fault(error, store.data()))
                        }
                    }
                });
                supervise(guest, began, limits.timeout, report.clone()).await?
            };
            let body = json(values.get(function.params.len()..).unwrap_or_default()).map_err(|error| {
                InvokeError::new(ErrorKind::Internal, "failed to write the result").with_source(error)
            })?;
            report.update(|report| report.bytes_out = body.len() as u64);
            Ok(Response::new(HeaderValue::from_static("application/json"), body, report))
        })
    }

    /// The function that a call names, or the one that it means without naming it.
    fn function(&self, reference: &FunctionRef, config: &FunctionConfig) -> Result<&Function, InvokeError> {
        let named = |name: &str| self.functions.iter().find(|function| function.name == name);
        let found = match (reference.export(), config.export.as_deref(), self.functions.as_slice()) {
            (Some(export), _, _) | (None, Some(export), _) => named(export),
            (None, None, [only]) => Some(only),
            // A name like `nth-prime` is spelled `nth_prime` where the language has no `-` in names.
            (None, None, _) => {
                let name = reference.name().as_str();
                named(name).or_else(|| named(&name.replace('-', "_")))
            }
        };
        found.ok_or_else(|| self.no_such_export(reference, config))
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

    /// Calls `function` with the first of `values`, its parameters, and gives them back with its results behind them.
    async fn run<W: Send + 'static>(
        &self,
        pre: &InstancePre<Host<W>>,
        store: &mut Store<Host<W>>,
        began: Instant,
        function: &Function,
        mut values: Vec<Val>,
    ) -> wasmtime::Result<Vec<Val>> {
        let instance = pre.instantiate_async(&mut *store).await?;
        let mut function_of = |export| instance.get_module_export(&mut *store, &export).and_then(Extern::into_func);
        if let Some(initialize) = self.initialize.and_then(&mut function_of) {
            initialize.call_async(&mut *store, &[], &mut []).await?;
        }
        store.data().instantiated(began);
        let callee = instance.get_module_export(&mut *store, &function.export).and_then(Extern::into_func);
        let callee = callee.ok_or_else(|| wasmtime::format_err!("export {:?} is gone", function.name))?;
        let (params, results) = values.split_at_mut(function.params.len());
        callee.call_async(&mut *store, params, results).await?;
        Ok(values)
    }
}

impl Function {
    fn new(module: &Module, name: &str, ty: &ExternType) -> Option<Self> {
        let ty = ty.func().filter(|_| name != "_initialize").filter(|ty| is_callable(ty))?;
        let export = module.get_export_index(name)?;
        Some(Self { name: name.to_owned(), export, params: ty.params().collect(), results: ty.results().len() })
    }
}

fn is_callable(ty: &FuncType) -> bool {
    ty.params().chain(ty.results()).all(|ty| number::is_numeric(&ty))
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

/// The call's parameters, with room for its results behind them, and how many bytes they came in.
async fn params(function: &Function, event: Event, max_request: u64) -> Result<(Vec<Val>, u64), InvokeError> {
    let (input, arguments) = event.into_parts();
    let body = input.into_body();
    if arguments.is_empty() {
        let body = match body.limited(max_request).into_whole() {
            Ok(bytes) => bytes,
            Err(body) => Box::pin(body.collect(u64::MAX)).await?,
        };
        return Ok((params_of_body(function, &body)?, body.len() as u64));
    }
    if !body.is_known_empty() {
        let detail = "the event has arguments both in its path and in its body; give them in one of the two";
        return Err(InvokeError::new(ErrorKind::InvalidInput, detail));
    }
    let size = arguments.iter().map(|argument| argument.len() as u64).sum();
    Ok((params_of(function, &arguments, number::parse)?, size))
}

fn params_of_body(function: &Function, body: &Bytes) -> Result<Vec<Val>, InvokeError> {
    let text = std::str::from_utf8(body).map_err(|_| not_numbers("it is not UTF-8"))?.trim();
    if text.is_empty() || text == "null" {
        return params_of::<&str>(function, &[], number::parse_json);
    }
    if text.starts_with('[') {
        let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| not_numbers(&error.to_string()))?;
        let items: Vec<_> = items.into_iter().map(RawValue::get).collect();
        return params_of(function, &items, number::parse_json);
    }
    if text.starts_with('{') {
        return Err(not_numbers("it is an object"));
    }
    params_of(function, &[text], number::parse_json)
}

fn not_numbers(why: &str) -> InvokeError {
    InvokeError::new(ErrorKind::InvalidInput, format!("expected a JSON number or an array of numbers: {why}"))
}

fn params_of<T: AsRef<str>>(
    function: &Function,
    arguments: &[T],
    parse: fn(&str, &ValType) -> Result<Val, number::NotANumber>,
) -> Result<Vec<Val>, InvokeError> {
    let invalid = |detail| InvokeError::new(ErrorKind::InvalidInput, detail);
    if arguments.len() != function.params.len() {
        let types: Vec<_> = function.params.iter().map(ToString::to_string).collect();
        let (wanted, got) = (function.params.len(), arguments.len());
        let plural = if wanted == 1 { "argument" } else { "arguments" };
        return Err(invalid(format!("{} takes {wanted} {plural} ({}), got {got}", function.name, types.join(", "))));
    }
    let pairs = arguments.iter().zip(&function.params).enumerate();
    let mut values = Vec::with_capacity(function.params.len() + function.results);
    for (index, (text, ty)) in pairs {
        values.push(parse(text.as_ref(), ty).map_err(|error| invalid(format!("arg {index}: {error}")))?);
    }
    values.resize(function.params.len() + function.results, Val::I32(0));
    Ok(values)
}

/// One number as it is, several as an array, none as `null`.
fn json(results: &[Val]) -> io::Result<Bytes> {
    match results {
        [] => Ok(Bytes::from_static(b"null")),
        [result] => number::json(result),
        results => {
            let mut out = Vec::new();
            for (index, result) in results.iter().enumerate() {
                out.push(if index == 0 { b'[' } else { b',' });
                number::write_json(result, &mut out)?;
            }
            out.push(b']');
            Ok(out.into())
        }
    }
}
