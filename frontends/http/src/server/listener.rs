//! The sockets on which a server accepts connections.

use std::sync::Arc;

use tokio::net::TcpListener;

use super::tls::Tls;

/// A socket on which a server accepts connections, with TLS or without.
///
/// A [`TcpListener`] is one without TLS. With the feature `tls`, `Listener::with_tls` makes one with TLS.
pub struct Listener {
    pub(super) socket: TcpListener,
    pub(super) tls: Option<Arc<Tls>>,
}

impl From<TcpListener> for Listener {
    fn from(socket: TcpListener) -> Self {
        Self { socket, tls: None }
    }
}

#[cfg(feature = "tls")]
impl Listener {
    /// A listener whose clients speak TLS.
    #[must_use]
    pub fn with_tls(socket: TcpListener, tls: Tls) -> Self {
        Self { socket, tls: Some(Arc::new(tls)) }
    }
}
