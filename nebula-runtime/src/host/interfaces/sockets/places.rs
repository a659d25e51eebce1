//! The places of sockets, in both versions of `wasi:sockets`.

use wasmtime::{
    StoreContextMut,
    component::{LinkerInstance, Resource, ResourceType},
};

use crate::{
    engine::Host,
    function::Protocol,
    host::{socket_places::SocketPlace, system::System},
};

pub(super) type HostStore<'a> = StoreContextMut<'a, Host<System>>;

/// Adds a resource that is a socket. When the guest drops it, its place is free, unless a stream shares the place.
pub(super) fn socket_resource<T: Send + 'static>(
    types: &mut LinkerInstance<'_, Host<System>>,
    name: &str,
) -> wasmtime::Result<()> {
    types.resource(name, ResourceType::host::<T>(), |mut host, handle| {
        let system = &mut host.data_mut().wasi;
        system.socket_places().release(handle);
        system.table().delete(Resource::<T>::new_own(handle))?;
        Ok(())
    })
}

/// A place for one more socket of the guest. Where nothing is granted, Wasmtime refuses to make the socket.
pub(super) fn take_place(host: &mut HostStore<'_>, protocol: Protocol) -> Option<SocketPlace> {
    let system = &mut host.data_mut().wasi;
    system.network().note_socket(protocol);
    system.socket_places().take()
}
