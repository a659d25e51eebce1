//! The system interface of a core module.

use wasmtime::Linker;
use wasmtime_wasi::p1::WasiP1Ctx;

use crate::{
    call::{ErrorKind, InvokeError},
    engine::{Engine, Host},
};

/// A linker with all that a core module may import: WASI preview 1, and the older `wasi_unstable`.
pub(crate) fn module_linker(engine: &Engine) -> Result<Linker<Host<WasiP1Ctx>>, InvokeError> {
    let mut linker = Linker::new(engine.wasmtime());
    wasmtime_wasi::p1::add_to_linker_async(&mut linker, |host: &mut Host<WasiP1Ctx>| &mut host.wasi)
        .and_then(|()| wasmtime_wasi::p0::add_to_linker_async(&mut linker, |host: &mut Host<WasiP1Ctx>| &mut host.wasi))
        .map_err(|error| InvokeError::new(ErrorKind::Internal, "failed to set up WASI").with_source(error))?;
    Ok(linker)
}
