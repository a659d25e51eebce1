//! The interfaces that components import, and the linker that has them.

mod blobstore;
mod config;
mod keyvalue;
mod logging;
mod names;
mod sockets;
#[cfg(feature = "compiler")]
mod ungranted;

use wasmtime::component::{Component, Linker};

use self::names::is_of;
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
        .and_then(|()| link_services(&mut linker, engine, component))
        .map_err(|error| InvokeError::new(ErrorKind::Internal, "failed to set up WASI").with_source(error))?;
    Ok(linker)
}

/// A service that components import.
struct Importable {
    /// What the names of its interfaces begin with.
    interfaces: &'static [&'static str],
    link: fn(&mut Linker<Host<System>>, &Engine) -> wasmtime::Result<()>,
}

const IMPORTABLE: [Importable; 5] = [
    Importable { interfaces: blobstore::INTERFACES, link: |linker, _| blobstore::link(linker) },
    Importable { interfaces: config::INTERFACES, link: |linker, _| config::link(linker) },
    Importable { interfaces: keyvalue::INTERFACES, link: |linker, _| keyvalue::link(linker) },
    Importable { interfaces: sockets::INTERFACES, link: sockets::link },
    Importable { interfaces: logging::INTERFACES, link: |linker, _| logging::link(linker) },
];

/// Links the services that the component imports. Most components import none.
fn link_services(linker: &mut Linker<Host<System>>, engine: &Engine, component: &Component) -> wasmtime::Result<()> {
    let ty = component.component_type();
    let is_used = |service: &Importable| ty.imports(engine.wasmtime()).any(|(name, _)| is_of(service.interfaces, name));
    IMPORTABLE.iter().filter(|service| is_used(service)).try_for_each(|service| (service.link)(linker, engine))
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
