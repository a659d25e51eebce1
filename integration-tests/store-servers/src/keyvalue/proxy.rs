//! A proxy before a server: its address stays while the server restarts, and it breaks answers as a test says.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    thread,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpStream, UnixStream},
    sync::watch,
};

/// Where the server listens.
#[derive(Debug, Clone)]
pub(super) enum Server {
    Port(u16),
    Socket(PathBuf),
}

/// What happens to the connections to a [`KeyValueServer`](super::KeyValueServer).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionFault {
    /// Nothing: they work.
    None,
    /// It takes connections and requests, and gives no answer until this is over.
    Hangs,
    /// It resets each connection in the middle of its next answer.
    Tears,
}

/// The proxy, on a thread that ends with the process.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    fault: watch::Sender<ConnectionFault>,
    server: watch::Sender<Server>,
}

impl Proxy {
    pub(super) fn start(server: Server) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a socket that does not block");
        let address = listener.local_addr().expect("an address");
        let (fault, server) = (watch::Sender::new(ConnectionFault::None), watch::Sender::new(server));
        let serve = serve(listener, fault.clone(), server.clone());
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(serve)
        });
        Self { address, fault, server }
    }

    pub(super) fn set(&self, fault: ConnectionFault) {
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

async fn serve(listener: TcpListener, fault: watch::Sender<ConnectionFault>, server: watch::Sender<Server>) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    while let Ok((client, _)) = listener.accept().await {
        let server = server.borrow().clone();
        tokio::spawn(connect(client, server, fault.subscribe()));
    }
}

/// Joins a client with the server. A connection to a server that is gone is closed.
async fn connect(client: TcpStream, server: Server, fault: watch::Receiver<ConnectionFault>) {
    client.set_nodelay(true).expect("a connection");
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

async fn join(client: TcpStream, server: impl AsyncRead + AsyncWrite, fault: watch::Receiver<ConnectionFault>) {
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
    mut fault: watch::Receiver<ConnectionFault>,
) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = server.read(&mut buffer).await {
        let Ok(now) = fault.wait_for(|fault| *fault != ConnectionFault::Hangs).await.map(|fault| *fault) else {
            return;
        };
        let torn = now == ConnectionFault::Tears;
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
