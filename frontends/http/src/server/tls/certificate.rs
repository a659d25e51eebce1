//! A certificate and its private key, in PEM files.

use std::{
    error::Error,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use nebula_runtime::Timestamp;
use tokio_rustls::rustls::{
    self, ServerConfig,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject as _},
    },
};
use x509_cert::{Certificate, der::Decode as _};

use super::http2::PROTOCOLS;

/// The files of a certificate and its private key.
pub(super) struct CertificateFiles {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// Why a certificate and its private key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("failed to read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A file has nothing of what it should have.
    #[error("{} has no {what}: it must have one in PEM, which begins with -----BEGIN", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What is missing: a certificate, or a private key.
        what: &'static str,
    },
    /// The private key is encrypted.
    #[error("the private key in {0} is encrypted: decrypt it with `openssl pkey -in {0} -out FILE`", path.display())]
    Encrypted {
        /// The file.
        path: PathBuf,
    },
    /// A file is damaged.
    #[error("{} is not in PEM", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The private key is of another certificate.
    #[error("the private key in {} does not belong to the certificate in {}", key.display(), certificate.display())]
    Mismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the private key.
        key: PathBuf,
    },
    /// A kind of certificate or key that is not supported, or a damaged one.
    #[error("the certificate in {} and the private key in {} cannot be used", certificate.display(), key.display())]
    Unusable {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the private key.
        key: PathBuf,
        /// The reason.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl CertificateFiles {
    /// Reads both files.
    pub(super) fn read(&self) -> Result<ServerConfig, TlsError> {
        let chain = chain(&self.certificate)?;
        chain.first().and_then(end).into_iter().for_each(|end| self.warn_if_past(end));
        let versions = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| self.refused(error))?;
        let mut config = versions
            .with_no_client_auth()
            .with_single_cert(chain, key(&self.key)?)
            .map_err(|error| self.refused(error))?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
        Ok(config)
    }

    fn refused(&self, error: rustls::Error) -> TlsError {
        let (certificate, key) = (self.certificate.clone(), self.key.clone());
        match error {
            rustls::Error::InconsistentKeys(_) => TlsError::Mismatch { certificate, key },
            error => TlsError::Unusable { certificate, key, source: error.into() },
        }
    }

    /// An expired certificate is used all the same: clients refuse it, and say why.
    fn warn_if_past(&self, end: Timestamp) {
        if end <= Timestamp::now() {
            let certificate = self.certificate.display();
            tracing::warn!(%certificate, expired_at = %end, "the certificate has expired: clients will refuse it");
        }
    }
}

/// When a certificate ends. `None` if it does not say that in a form that is known.
fn end(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let certificate = Certificate::from_der(certificate).ok()?;
    Some(certificate.tbs_certificate().validity().not_after.to_system_time().into())
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    let chain = chain.map_err(|error| malformed(path, error))?;
    if chain.is_empty() { Err(missing(path, "certificate")) } else { Ok(chain) }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(path)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        pem::Error::NoItemsFound if is_encrypted(&text) => TlsError::Encrypted { path: path.to_owned() },
        pem::Error::NoItemsFound => missing(path, "private key"),
        error => malformed(path, error),
    })
}

fn is_encrypted(text: &[u8]) -> bool {
    text.windows(b"ENCRYPTED".len()).any(|part| part == b"ENCRYPTED")
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })
}

fn missing(path: &Path, what: &'static str) -> TlsError {
    TlsError::Missing { path: path.to_owned(), what }
}

fn malformed(path: &Path, error: pem::Error) -> TlsError {
    TlsError::Malformed { path: path.to_owned(), source: error.to_string().into() }
}
