//! Looking up names through `wasi:sockets`. Wasmtime would look up every name, as many at once as a guest asks for.

use std::{
    future::{Future, poll_fn},
    net::IpAddr,
    pin::Pin,
    task::{Context, Poll, Waker},
    vec,
};

use wasmtime::component::{Accessor, Linker, Resource, ResourceType};
use wasmtime_wasi::{
    p2::{
        DynPollable, Pollable,
        bindings::sockets::network::{self, ErrorCode, Network},
        subscribe,
    },
    p3::bindings::sockets::{ip_name_lookup as concurrent, types},
};

use super::places::HostStore;
use crate::{
    engine::Host,
    host::{granted::LookupError, system::System},
};

/// The resource `resolve-address-stream`.
enum Addresses {
    Awaited(Pin<Box<dyn Future<Output = Result<Vec<IpAddr>, LookupError>> + Send>>),
    Found(vec::IntoIter<IpAddr>),
    Failed(LookupError),
}

type Handle = Resource<Addresses>;

/// Replaces the functions and their resource.
pub(super) fn link(linker: &mut Linker<Host<System>>) -> wasmtime::Result<()> {
    let mut lookup = linker.instance("wasi:sockets/ip-name-lookup@0.2.12")?;
    lookup.resource("resolve-address-stream", ResourceType::host::<Addresses>(), |mut host, handle| {
        host.data_mut().wasi.table().delete(Handle::new_own(handle))?;
        Ok(())
    })?;
    lookup.func_wrap("resolve-addresses", resolve)?;
    lookup.func_wrap("[method]resolve-address-stream.resolve-next-address", next)?;
    lookup.func_wrap("[method]resolve-address-stream.subscribe", |mut host: HostStore<'_>, (addresses,): (Handle,)| {
        Ok((subscribe(host.data_mut().wasi.table(), addresses)?,)) as wasmtime::Result<(Resource<DynPollable>,)>
    })
}

/// The same of 0.3.
pub(super) fn link_concurrent(linker: &mut Linker<Host<System>>) -> wasmtime::Result<()> {
    let mut lookup = linker.instance("wasi:sockets/ip-name-lookup@0.3.0")?;
    lookup.func_wrap_concurrent("resolve-addresses", |accessor, (name,): (String,)| {
        Box::pin(resolve_concurrently(accessor, name))
    })
}

fn resolve(
    mut host: HostStore<'_>,
    (_, name): (Resource<Network>, String),
) -> wasmtime::Result<(Result<Handle, ErrorCode>,)> {
    let system = &mut host.data_mut().wasi;
    if !system.network().allows_lookup(&name) {
        return Ok((Err(ErrorCode::AccessDenied),));
    }
    let found = system.network().clone().look_up(name);
    Ok((Ok(system.table().push(Addresses::Awaited(Box::pin(found)))?),))
}

type Next = Result<Option<network::IpAddress>, ErrorCode>;

fn next(mut host: HostStore<'_>, (addresses,): (Handle,)) -> wasmtime::Result<(Next,)> {
    let addresses = host.data_mut().wasi.table().get_mut(&addresses)?;
    let ready = addresses.poll_ready(&mut Context::from_waker(Waker::noop()));
    Ok((match addresses {
        _ if ready.is_pending() => Err(ErrorCode::WouldBlock),
        Addresses::Found(found) => Ok(found.next().map(Into::into)),
        Addresses::Awaited(_) => Err(ErrorCode::WouldBlock),
        Addresses::Failed(LookupError::Invalid) => Err(ErrorCode::InvalidArgument),
        Addresses::Failed(LookupError::NotFound) => Err(ErrorCode::NameUnresolvable),
    },))
}

impl Addresses {
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Self::Awaited(found) = self else { return Poll::Ready(()) };
        found.as_mut().poll(context).map(|found| {
            *self = found.map_or_else(Self::Failed, |found| Self::Found(found.into_iter()));
        })
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Addresses {
    async fn ready(&mut self) {
        poll_fn(|context| self.poll_ready(context)).await;
    }
}

type Resolved = Result<Vec<types::IpAddress>, concurrent::ErrorCode>;

async fn resolve_concurrently(accessor: &Accessor<Host<System>>, name: String) -> wasmtime::Result<(Resolved,)> {
    let network = accessor.with(|mut host| host.get().wasi.network().clone());
    if !network.allows_lookup(&name) {
        return Ok((Err(concurrent::ErrorCode::AccessDenied),));
    }
    Ok((match network.look_up(name).await {
        Ok(found) => Ok(found.into_iter().map(Into::into).collect()),
        Err(LookupError::Invalid) => Err(concurrent::ErrorCode::InvalidArgument),
        Err(LookupError::NotFound) => Err(concurrent::ErrorCode::NameUnresolvable),
    },))
}
