//! The sockets on which a server accepts connections.

use std::{
    fmt, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::net::{TcpListener, UnixListener};

use super::{open::OpenConnections, proxy::ProxyProtocol, tls::Tls, transport::Transport, unix_socket::SocketFile};
use crate::proxies::TrustedProxies;

/// A socket on which a server accepts connections, with TLS or without.
///
/// A [`TcpListener`] or a [`UnixListener`] is one without TLS. With the feature `tls`, `Listener::with_tls` makes one
/// with TLS.
pub struct Listener {
    pub(super) socket: ListeningSocket,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) proxy_protocol: Option<Arc<ProxyProtocol>>,
    pub(super) open: Option<OpenConnections>,
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocalAddress {
    /// An address of this machine.
    Tcp(SocketAddr),
    /// The file of a Unix socket. The path is empty if the socket has none.
    Unix(PathBuf),
}

impl LocalAddress {
    /// Whether other machines reach the address.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Tcp(address) if !address.ip().is_loopback())
    }
}

impl fmt::Display for LocalAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

pub(super) enum ListeningSocket {
    Tcp(TcpListener),
    Unix { listener: UnixListener, _file: Option<SocketFile>, path: PathBuf },
}

impl ListeningSocket {
    pub(super) async fn accept(&self) -> io::Result<Transport> {
        match self {
            Self::Tcp(listener) => listener.accept().await.map(|(stream, _)| Transport::Tcp(stream)),
            Self::Unix { listener, .. } => listener.accept().await.map(|(stream, _)| Transport::Unix(stream)),
        }
    }
}

impl From<TcpListener> for Listener {
    fn from(socket: TcpListener) -> Self {
        ListeningSocket::Tcp(socket).into()
    }
}

/// The code that bound the listener also removes its file.
impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Self {
        let address = listener.local_addr().ok();
        let path = address.as_ref().and_then(|address| address.as_pathname()).map(Path::to_owned);
        ListeningSocket::Unix { listener, _file: None, path: path.unwrap_or_default() }.into()
    }
}

impl From<ListeningSocket> for Listener {
    fn from(socket: ListeningSocket) -> Self {
        Self { socket, tls: None, proxy_protocol: None, open: None }
    }
}

impl Listener {
    /// Where the server listens.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn address(&self) -> io::Result<LocalAddress> {
        match &self.socket {
            ListeningSocket::Tcp(listener) => listener.local_addr().map(LocalAddress::Tcp),
            ListeningSocket::Unix { path, .. } => Ok(LocalAddress::Unix(path.clone())),
        }
    }

    /// The same listener. The connections of `proxies` begin with a header of the PROXY protocol (version 1 or 2) that says
    /// whose they are. A connection of theirs without one is closed.
    #[must_use]
    pub fn with_proxy_protocol(self, proxies: TrustedProxies) -> Self {
        Self { proxy_protocol: Some(Arc::new(ProxyProtocol::of(proxies))), ..self }
    }

    /// The same listener. Its connections count in `open`.
    #[must_use]
    pub fn counted_in(self, open: &OpenConnections) -> Self {
        Self { open: Some(open.clone()), ..self }
    }

    /// The same listener. Its clients speak TLS.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(self, tls: Tls) -> Self {
        Self { tls: Some(Arc::new(tls)), ..self }
    }
}
