//! How the certificate of a collector is checked.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{
        CertificateDer,
        pem::{self, PemObject as _},
    },
};

/// Why nothing can be sent to a collector.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The file of certificates cannot be read.
    #[error("failed to read the certificates in {} (OTEL_EXPORTER_OTLP_CERTIFICATE)", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: pem::Error,
    },
    /// The file has no certificate.
    #[error("{} has no certificate in PEM (OTEL_EXPORTER_OTLP_CERTIFICATE)", .0.display())]
    Empty(PathBuf),
    /// TLS cannot be set up.
    #[error("failed to set up TLS")]
    SetUp(#[from] rustls::Error),
}

/// Connects to a collector whose certificate is signed by one in this file, or by an authority that browsers trust.
pub(crate) fn connector(certificate: Option<&Path>) -> Result<HttpsConnector<HttpConnector>, TlsError> {
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let tls = tls.with_safe_default_protocol_versions()?;
    let tls = match certificate {
        Some(file) => tls.with_root_certificates(roots(file)?),
        None => tls.with_webpki_roots(),
    };
    Ok(HttpsConnectorBuilder::new().with_tls_config(tls.with_no_client_auth()).https_or_http().enable_http1().build())
}

fn roots(file: &Path) -> Result<RootCertStore, TlsError> {
    let unreadable = |source| TlsError::Unreadable { file: file.to_owned(), source };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(unreadable)? {
        roots.add(certificate.map_err(unreadable)?)?;
    }
    if roots.is_empty() { Err(TlsError::Empty(file.to_owned())) } else { Ok(roots) }
}
