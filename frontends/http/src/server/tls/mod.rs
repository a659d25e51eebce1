//! TLS for the connections of a listener.

mod certificate;

use std::{io, path::PathBuf, sync::Arc};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

use self::certificate::CertificateFiles;
pub use self::certificate::TlsError;
use super::http2;
use crate::file_backed::FileBacked;

/// A connection with TLS.
pub(super) type TlsStream<S> = tokio_rustls::server::TlsStream<S>;

/// TLS with a certificate and a private key from two PEM files.
///
/// - The files are read again when they change. The next connection has the new certificate.
/// - If the new files cannot be used, the old certificate stays, and the log says why.
/// - TLS 1.2 and 1.3, with ring. Clients send no certificate.
/// - With the feature `http2`, the client chooses between HTTP/2 and HTTP/1.1 (ALPN, RFC 7301).
pub struct Tls {
    files: CertificateFiles,
    config: FileBacked<ServerConfig>,
}

impl Tls {
    /// Reads a certificate, with the certificates between it and the root, and its private key. If the certificate has
    /// expired, the log says so.
    ///
    /// # Errors
    /// If a file cannot be read or holds something else, or the key does not fit the certificate.
    pub fn open(certificate: PathBuf, key: PathBuf) -> Result<Self, TlsError> {
        let files = CertificateFiles { certificate, key };
        let config = FileBacked::new(vec![files.certificate.clone(), files.key.clone()], || files.read())?;
        Ok(Self { files, config })
    }

    /// Waits for a client's handshake. Returns the stream, and whether the client has chosen HTTP/2.
    pub(super) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        socket: S,
    ) -> io::Result<(TlsStream<S>, bool)> {
        let stream = TlsAcceptor::from(self.current()).accept(socket).await?;
        let is_http2 = http2::is_chosen(stream.get_ref().1.alpn_protocol());
        Ok((stream, is_http2))
    }

    fn current(&self) -> Arc<ServerConfig> {
        let certificate = self.files.certificate.display();
        self.config.current(|known| match self.files.read() {
            Ok(config) => {
                tracing::info!(%certificate, "the certificate was replaced");
                Arc::new(config)
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(%certificate, error, "the new certificate cannot be used, and the old one stays");
                Arc::clone(known)
            }
        })
    }
}
