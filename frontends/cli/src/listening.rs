//! The addresses on which `nebula serve` listens.

use nebula_http::{ListenAddress, Listener, LocalAddress, OpenConnections, Tls, TrustedProxies, bind};

use crate::{config::TlsFiles, failure::Failure, systemd::PassedSocket};

/// An address of this server, which accepts connections and does not serve them yet.
pub(crate) struct Listening {
    listener: Listener,
    address: LocalAddress,
    is_secure: bool,
}

impl Listening {
    /// Listens on `address`, with TLS if there is a certificate.
    ///
    /// # Errors
    /// If that is not possible, or the certificate cannot be used.
    pub(crate) async fn bind(address: ListenAddress, tls: Option<&TlsFiles>) -> Result<Self, Failure> {
        Self::on(bind(address).await?, tls)
    }

    /// Listens on a socket that systemd has opened.
    ///
    /// # Errors
    /// If the socket or the certificate cannot be used.
    pub(crate) fn passed(socket: PassedSocket, tls: Option<&TlsFiles>) -> Result<Self, Failure> {
        Self::on(socket.into_listener()?, tls)
    }

    fn on(listener: Listener, tls: Option<&TlsFiles>) -> Result<Self, Failure> {
        let address = listener.address().map_err(Failure::Listener)?;
        let open = |files: &TlsFiles| Tls::open(files.cert.clone(), files.key.clone()).map_err(Failure::Tls);
        let listener = match tls.map(open).transpose()? {
            Some(tls) => listener.with_tls(tls),
            None => listener,
        };
        Ok(Self { listener, address, is_secure: tls.is_some() })
    }

    /// The URL of the server, or its Unix socket.
    pub(crate) fn url(&self) -> String {
        match (&self.address, self.is_secure) {
            (LocalAddress::Tcp(address), false) => format!("http://{address}"),
            (LocalAddress::Tcp(address), true) => format!("https://{address}"),
            (LocalAddress::Unix(_), false) => self.address.to_string(),
            (LocalAddress::Unix(_), true) => format!("{} with TLS", self.address),
        }
    }

    /// Whether clients speak TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// Whether other machines reach the address.
    pub(crate) fn is_open(&self) -> bool {
        self.address.is_open()
    }

    /// The same address. The connections of `proxies` begin with a header of the PROXY protocol.
    pub(crate) fn with_proxy_protocol(self, proxies: TrustedProxies) -> Self {
        Self { listener: self.listener.with_proxy_protocol(proxies), ..self }
    }

    /// The same address. Its connections count in `open`.
    pub(crate) fn counted_in(self, open: &OpenConnections) -> Self {
        Self { listener: self.listener.counted_in(open), ..self }
    }

    pub(crate) fn into_listener(self) -> Listener {
        self.listener
    }
}
