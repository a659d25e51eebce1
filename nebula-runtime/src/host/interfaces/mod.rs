//! The interfaces that components import, and the linker that has them.

mod blobstore;
mod config;
mod imports;
mod keyvalue;
mod logging;
mod names;
mod otel;
mod sockets;
#[cfg(feature = "compiler")]
mod ungranted;

use wasmtime::component::{Component, Linker};

use self::imports::Imports;
use super::{outgoing, system::System};
use crate::{
    call::{ErrorKind, InvokeError},
    engine::{Engine, Host},
};

#[cfg(feature = "compiler")]
pub(crate) use self::ungranted::Ungranted;

/// A linker with all that `component` may import.
pub(crate) fn component_linker(engine: &Engine, component: &Component) -> Result<Linker<Host<System>>, InvokeError> {
    let mut linker = Linker::new(engine.wasmtime());
    link(&mut linker, engine)
        .and_then(|()| link_services(&mut linker, engine, &Imports::of(engine.wasmtime(), component)))
        .map_err(|error| InvokeError::new(ErrorKind::Internal, "failed to set up WASI").with_source(error))?;
    Ok(linker)
}

/// A service that components import.
struct Importable {
    /// What the names of its interfaces begin with.
    interfaces: &'static [&'static str],
    link: fn(&mut Linker<Host<System>>, &Engine, &Imports<'_>) -> wasmtime::Result<()>,
}

const IMPORTABLE: [Importable; 6] = [
    Importable { interfaces: blobstore::INTERFACES, link: |linker, _, imports| blobstore::link(linker, imports) },
    Importable { interfaces: config::INTERFACES, link: config::link },
    Importable { interfaces: keyvalue::INTERFACES, link: keyvalue::link },
    Importable { interfaces: sockets::INTERFACES, link: |linker, engine, _| sockets::link(linker, engine) },
    Importable { interfaces: logging::INTERFACES, link: |linker, _, _| logging::link(linker) },
    Importable { interfaces: otel::INTERFACES, link: |linker, _, _| otel::link(linker) },
];

/// Links the services that the component imports. Most components import none.
fn link_services(linker: &mut Linker<Host<System>>, engine: &Engine, imports: &Imports<'_>) -> wasmtime::Result<()> {
    let mut used = IMPORTABLE.iter().filter(|service| imports.has(service.interfaces));
    used.try_for_each(|service| (service.link)(linker, engine, imports))
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
