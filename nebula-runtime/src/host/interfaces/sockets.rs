//! Looking up names through `wasi:sockets`. Wasmtime would look up every name, so the functions are linked here: they
//! look at the name, and then call those of Wasmtime. Connections are checked where they are made.

use wasmtime::{
    StoreContextMut,
    component::{Accessor, Linker, Resource},
};
use wasmtime_wasi::{
    p2::{
        SocketError,
        bindings::sockets::{
            ip_name_lookup::{Host as _, ResolveAddressStream},
            network::{ErrorCode, Network},
        },
    },
    p3::bindings::sockets::{
        ip_name_lookup::{self as concurrent, HostWithStore as _},
        types::IpAddress,
    },
    sockets::{WasiSockets, WasiSocketsView as _},
};

use crate::{
    engine::{Engine, Host},
    host::system::System,
};

/// What the names of the interfaces begin with.
pub(super) const INTERFACES: &[&str] = &["wasi:sockets/ip-name-lookup@"];

/// Replaces the functions that look up names.
pub(super) fn link(linker: &mut Linker<Host<System>>, engine: &Engine) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    linker.instance("wasi:sockets/ip-name-lookup@0.2.12")?.func_wrap("resolve-addresses", resolve)?;
    if engine.is_concurrent() {
        let mut lookup = linker.instance("wasi:sockets/ip-name-lookup@0.3.0")?;
        lookup.func_wrap_concurrent("resolve-addresses", |accessor, (name,): (String,)| {
            Box::pin(resolve_concurrently(accessor, name))
        })?;
    }
    linker.allow_shadowing(false);
    Ok(())
}

type Resolved = Result<Resource<ResolveAddressStream>, ErrorCode>;

fn resolve(
    mut host: StoreContextMut<'_, Host<System>>,
    (network, name): (Resource<Network>, String),
) -> wasmtime::Result<(Resolved,)> {
    if !host.data().wasi.network().allows_lookup(&name) {
        return Ok((Err(ErrorCode::AccessDenied),));
    }
    let resolved = host.data_mut().sockets().resolve_addresses(network, name);
    Ok((resolved.map(Ok).or_else(|error: SocketError| error.downcast().map(Err))?,))
}

type ResolvedAddresses = Result<Vec<IpAddress>, concurrent::ErrorCode>;

async fn resolve_concurrently(
    accessor: &Accessor<Host<System>>,
    name: String,
) -> wasmtime::Result<(ResolvedAddresses,)> {
    if !accessor.with(|mut host| host.get().wasi.network().allows_lookup(&name)) {
        return Ok((Err(concurrent::ErrorCode::AccessDenied),));
    }
    let sockets = accessor.with_getter::<WasiSockets>(|host| host.sockets());
    Ok((WasiSockets::resolve_addresses(&sockets, name).await?,))
}
