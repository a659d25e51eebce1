//! A proxy before a server: its address stays while the server restarts, and it breaks answers as a test says.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
    task::JoinHandle,
};

/// Where the server listens.
#[derive(Debug, Clone)]
pub(super) enum Server {
    Port(u16),
    Socket(PathBuf),
}

/// What the proxy does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// It takes connections and requests, and gives no answer until this is over.
    Hangs,
    /// It resets each connection in the middle of its next answer.
    Tears,
}

/// The proxy. It ends when this is dropped.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    fault: watch::Sender<Fault>,
    server: watch::Sender<Server>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub(super) async fn start(server: Server) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (fault, server) = (watch::Sender::new(Fault::None), watch::Sender::new(server));
        let task = tokio::spawn(serve(listener, fault.clone(), server.clone()));
        Self { address, fault, server, task }
    }

    pub(super) fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// Where the server is.
    pub(super) fn server(&self) -> Server {
        self.server.borrow().clone()
    }

    /// The server is elsewhere from now on.
    pub(super) fn lead_to(&self, server: Server) {
        self.server.send_replace(server);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, fault: watch::Sender<Fault>, server: watch::Sender<Server>) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let server = server.borrow().clone();
        tokio::spawn(connect(client, server, fault.subscribe()));
    }
}

/// Joins a client with the server. A connection to a server that is gone is closed.
async fn connect(client: TcpStream, server: Server, fault: watch::Receiver<Fault>) {
    client.set_nodelay(true).unwrap();
    match server {
        Server::Port(port) => match TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
            Ok(server) => join(client, server, fault).await,
            Err(_) => drop(client),
        },
        Server::Socket(path) => match UnixStream::connect(path).await {
            Ok(server) => join(client, server, fault).await,
            Err(_) => drop(client),
        },
    }
}

async fn join(client: TcpStream, server: impl AsyncRead + AsyncWrite, fault: watch::Receiver<Fault>) {
    let (mut requests, answers) = client.into_split();
    let (from_server, mut to_server) = tokio::io::split(server);
    let forward = async { tokio::io::copy(&mut requests, &mut to_server).await.map(drop) };
    let back = answer(from_server, answers, fault);
    tokio::select! {
        _ = forward => {}
        () = back => {}
    }
}

/// Passes answers on, as the fault says.
async fn answer(
    mut server: impl AsyncRead + Unpin,
    mut client: tokio::net::tcp::OwnedWriteHalf,
    mut fault: watch::Receiver<Fault>,
) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = server.read(&mut buffer).await {
        let Ok(now) = fault.wait_for(|fault| *fault != Fault::Hangs).await.map(|fault| *fault) else { return };
        let torn = now == Fault::Tears;
        let passed = if torn { count / 2 } else { count };
        if client.write_all(&buffer[..passed]).await.is_err() {
            return;
        }
        if torn {
            // Closed at once, with a reset.
            let _ = client.as_ref().set_zero_linger();
            return;
        }
    }
}
