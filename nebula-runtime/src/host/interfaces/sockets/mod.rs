//! Sockets through `wasi:sockets`. Most functions are those of Wasmtime. Some are linked here: those that make sockets
//! count them, and names are looked up only if the function may.

mod concurrent;
mod lookup;
mod places;
mod sequential;

use wasmtime::component::Linker;

use crate::{
    engine::{Engine, Host},
    host::system::System,
};

/// What the names of the interfaces begin with.
pub(super) const INTERFACES: &[&str] = &["wasi:sockets/"];

/// Replaces functions of Wasmtime in a linker that has them.
pub(super) fn link(linker: &mut Linker<Host<System>>, engine: &Engine) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    sequential::link(linker)?;
    lookup::link(linker)?;
    if engine.is_concurrent() {
        concurrent::link(linker)?;
        lookup::link_concurrent(linker)?;
    }
    linker.allow_shadowing(false);
    Ok(())
}
