//! Making and dropping sockets of `wasi:sockets` 0.3. A stream may live longer than its socket's handle, so it shares the
//! socket's place.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use tokio::sync::oneshot;
use wasmtime::{
    AsContextMut as _,
    component::{Access, Accessor, FutureConsumer, FutureReader, Linker, Resource, Source, StreamReader},
};
use wasmtime_wasi::{
    p3::{
        bindings::sockets::types::{
            ErrorCode, HostTcpSocket, HostTcpSocketWithStore as _, HostUdpSocket, IpAddressFamily, IpSocketAddress,
        },
        sockets::{SocketError, SocketResult},
    },
    sockets::{TcpSocket, UdpSocket, WasiSockets, WasiSocketsView as _},
};

use super::places::{HostStore, socket_resource, take_place};
use crate::{
    engine::Host,
    function::Protocol,
    host::{socket_places::SocketPlace, system::System},
};

type Created<T> = wasmtime::Result<(Result<Resource<T>, ErrorCode>,)>;

/// How a stream ended.
type End = Result<(), ErrorCode>;

/// Replaces the functions.
pub(super) fn link(linker: &mut Linker<Host<System>>) -> wasmtime::Result<()> {
    let mut types = linker.instance("wasi:sockets/types@0.3.0")?;
    types.func_wrap("[static]tcp-socket.create", create_tcp)?;
    types.func_wrap_async("[static]udp-socket.create", |host: HostStore<'_>, (family,): (IpAddressFamily,)| {
        Box::new(create_udp(host, family))
    })?;
    types.func_wrap_concurrent("[method]tcp-socket.connect", |host, (socket, address)| {
        Box::pin(connect(host, socket, address))
    })?;
    types.func_wrap("[method]tcp-socket.send", send)?;
    types.func_wrap("[method]tcp-socket.receive", receive)?;
    socket_resource::<TcpSocket>(&mut types, "tcp-socket")?;
    socket_resource::<UdpSocket>(&mut types, "udp-socket")
}

fn create_tcp(mut host: HostStore<'_>, (family,): (IpAddressFamily,)) -> Created<TcpSocket> {
    let Some(place) = take_place(&mut host, Protocol::Tcp) else { return Ok((Err(too_many()),)) };
    let created = HostTcpSocket::create(&mut host.data_mut().sockets(), family);
    keep(host, created, place)
}

async fn create_udp(mut host: HostStore<'_>, family: IpAddressFamily) -> Created<UdpSocket> {
    let Some(place) = take_place(&mut host, Protocol::Udp) else { return Ok((Err(too_many()),)) };
    let created = HostUdpSocket::create(&mut host.data_mut().sockets(), family).await;
    keep(host, created, place)
}

fn too_many() -> ErrorCode {
    ErrorCode::Other(Some("too many sockets are open".to_owned()))
}

fn keep<T: 'static>(mut host: HostStore<'_>, created: SocketResult<Resource<T>>, place: SocketPlace) -> Created<T> {
    let created = created.map(Ok).or_else(|error: SocketError| error.downcast().map(Err))?;
    if let Ok(socket) = &created {
        host.data_mut().wasi.socket_places().keep(socket.rep(), place);
    }
    Ok((created,))
}

/// A connection may be made without a wait. So this yields first: the streams that the guest has dropped end only when
/// Wasmtime runs its tasks, and until then have their places.
async fn connect(
    host: &Accessor<Host<System>>,
    socket: Resource<TcpSocket>,
    address: IpSocketAddress,
) -> wasmtime::Result<(End,)> {
    tokio::task::yield_now().await;
    let host = host.with_getter::<WasiSockets>(|host| host.sockets());
    let connected = WasiSockets::connect(&host, socket, address).await;
    Ok((connected.map(Ok).or_else(|error: SocketError| error.downcast().map(Err))?,))
}

fn send(
    mut host: HostStore<'_>,
    (socket, data): (Resource<TcpSocket>, StreamReader<u8>),
) -> wasmtime::Result<(FutureReader<End>,)> {
    let place = host.data_mut().wasi.socket_places().of(socket.rep());
    let end = WasiSockets::send(access(&mut host), socket, data)?;
    Ok((hold(host, end, place)?,))
}

type Received = (StreamReader<u8>, FutureReader<End>);

fn receive(mut host: HostStore<'_>, (socket,): (Resource<TcpSocket>,)) -> wasmtime::Result<(Received,)> {
    let place = host.data_mut().wasi.socket_places().of(socket.rep());
    let (data, end) = WasiSockets::receive(access(&mut host), socket)?;
    Ok(((data, hold(host, end, place)?),))
}

fn access<'a>(host: &'a mut HostStore<'_>) -> Access<'a, Host<System>, WasiSockets> {
    Access::new(host.as_context_mut(), |host| host.sockets())
}

/// Holds the place until the stream ends, also if the guest does not wait for `end`.
fn hold(
    mut host: HostStore<'_>,
    end: FutureReader<End>,
    place: Option<SocketPlace>,
) -> wasmtime::Result<FutureReader<End>> {
    let (tell, told) = oneshot::channel();
    end.pipe(&mut host, Holder { tell: Some(tell), _place: place })?;
    FutureReader::new(&mut host, told)
}

/// Waits for the end of a stream, and has its place meanwhile.
struct Holder {
    tell: Option<oneshot::Sender<End>>,
    _place: Option<SocketPlace>,
}

impl FutureConsumer<Host<System>> for Holder {
    type Item = End;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        host: HostStore<'_>,
        mut source: Source<'_, End>,
        _: bool,
    ) -> Poll<wasmtime::Result<()>> {
        let mut end = None;
        source.read(host, &mut end)?;
        if let (Some(tell), Some(end)) = (self.tell.take(), end) {
            // The guest may not wait for it.
            let _ = tell.send(end);
        }
        Poll::Ready(Ok(()))
    }
}
