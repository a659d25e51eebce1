//! Making and dropping sockets of `wasi:sockets` 0.2. Their streams are gone before them.

use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::{
    p2::{
        SocketError, SocketResult, TcpSocket, UdpSocket,
        bindings::sockets::{
            network::{ErrorCode, IpAddressFamily},
            tcp_create_socket::Host as _,
            udp_create_socket::Host as _,
        },
    },
    sockets::WasiSocketsView as _,
};

use super::places::{HostStore, socket_resource, take_place};
use crate::{
    engine::Host,
    function::Protocol,
    host::{socket_places::SocketPlace, system::System},
};

type Created<T> = wasmtime::Result<(Result<Resource<T>, ErrorCode>,)>;

/// Replaces the functions.
pub(super) fn link(linker: &mut Linker<Host<System>>) -> wasmtime::Result<()> {
    linker.instance("wasi:sockets/tcp-create-socket@0.2.12")?.func_wrap("create-tcp-socket", create_tcp)?;
    linker
        .instance("wasi:sockets/udp-create-socket@0.2.12")?
        .func_wrap_async("create-udp-socket", |host: HostStore<'_>, (family,): (IpAddressFamily,)| {
            Box::new(create_udp(host, family))
        })?;
    socket_resource::<TcpSocket>(&mut linker.instance("wasi:sockets/tcp@0.2.12")?, "tcp-socket")?;
    socket_resource::<UdpSocket>(&mut linker.instance("wasi:sockets/udp@0.2.12")?, "udp-socket")
}

fn create_tcp(mut host: HostStore<'_>, (family,): (IpAddressFamily,)) -> Created<TcpSocket> {
    let Some(place) = take_place(&mut host, Protocol::Tcp) else { return Ok((Err(ErrorCode::NewSocketLimit),)) };
    let created = host.data_mut().sockets().create_tcp_socket(family);
    keep(host, created, place)
}

async fn create_udp(mut host: HostStore<'_>, family: IpAddressFamily) -> Created<UdpSocket> {
    let Some(place) = take_place(&mut host, Protocol::Udp) else { return Ok((Err(ErrorCode::NewSocketLimit),)) };
    let created = host.data_mut().sockets().create_udp_socket(family).await;
    keep(host, created, place)
}

fn keep<T>(mut host: HostStore<'_>, created: SocketResult<Resource<T>>, place: SocketPlace) -> Created<T>
where
    T: 'static,
{
    let created = created.map(Ok).or_else(|error: SocketError| error.downcast().map(Err))?;
    if let Ok(socket) = &created {
        host.data_mut().wasi.socket_places().keep(socket.rep(), place);
    }
    Ok((created,))
}
