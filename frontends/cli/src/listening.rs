//! The addresses on which `nebula serve` listens.

use std::net::SocketAddr;

use nebula_http::{ListenAddress, Listener, Tls, bind};

use crate::{config::TlsFiles, failure::Failure};

/// An address of this server, which accepts connections and does not serve them yet.
pub(crate) struct Listening {
    listener: Listener,
    address: SocketAddr,
    is_secure: bool,
}

impl Listening {
    /// Listens on `address`, with TLS if there is a certificate.
    ///
    /// # Errors
    /// If that is not possible, or the certificate cannot be used.
    pub(crate) async fn bind(address: ListenAddress, tls: Option<&TlsFiles>) -> Result<Self, Failure> {
        let socket = bind(address).await?;
        let address = socket.local_addr().map_err(Failure::Listener)?;
        let open = |files: &TlsFiles| Tls::open(files.cert.clone(), files.key.clone()).map_err(Failure::Tls);
        let listener = match tls.map(open).transpose()? {
            Some(tls) => Listener::with_tls(socket, tls),
            None => socket.into(),
        };
        Ok(Self { listener, address, is_secure: tls.is_some() })
    }

    /// The URL of the server.
    pub(crate) fn url(&self) -> String {
        format!("{}://{}", if self.is_secure { "https" } else { "http" }, self.address)
    }

    /// Whether clients speak TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// Whether other machines reach the address.
    pub(crate) fn is_open(&self) -> bool {
        !self.address.ip().is_loopback()
    }

    pub(crate) fn into_listener(self) -> Listener {
        self.listener
    }
}
