//! Why a request to a server failed.

use std::{error::Error, io};

use http::StatusCode;
use nebula_runtime::RegistryError;
use rustls::CertificateError;

use super::url::ServerUrl;

/// What to do where nobody knows whether the server made a change.
const LOOK: &str = "look whether the change was made before you repeat it (nebula history NAME, for a function)";

/// Why a request to a server failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServerError {
    /// The server's runtime failed, as a runtime of this process would.
    #[error("{0}")]
    Registry(#[source] RegistryError),
    #[error(
        "the server {0} wants a token: set NEBULA_TOKEN to one; nebula token create NAME, on the server's machine, makes it"
    )]
    NoToken(ServerUrl),
    #[error("NEBULA_TOKEN is not a token: set it to what nebula token create printed")]
    InvalidToken,
    #[error(
        "the server {url} lets nobody in with NEBULA_TOKEN: {detail}; nebula token create NAME, on its machine, makes \
         another token"
    )]
    Unauthorized { url: ServerUrl, detail: String },
    /// The request is wrong in terms of HTTP: too large, cut off, or not understood.
    #[error("the server {url} refused the request ({status}): {detail}")]
    Refused { url: ServerUrl, status: StatusCode, detail: String },
    #[error("failed to reach the server {url}: {reason}; check the address, and that nebula serve --admin runs there")]
    Unreachable { url: ServerUrl, reason: String },
    #[error("failed to trust the server {url}: {reason}")]
    Untrusted { url: ServerUrl, reason: String },
    #[error("the server {url} broke the connection off: {reason}; {LOOK}")]
    Interrupted { url: ServerUrl, reason: String },
    #[error("the server {url} did not answer in time; {LOOK}")]
    TooSlow { url: ServerUrl },
    /// What stands before the server has no answer from it.
    #[error("the server {url} is out of reach for the proxy or gateway before it: status {status}")]
    Gateway { url: ServerUrl, status: StatusCode },
    #[error(
        "{url} does not answer as the admin API of Nebula: status {status}; name the address that nebula serve --admin \
         listens on, and not the one that serves the functions"
    )]
    NotAdminApi { url: ServerUrl, status: StatusCode },
    #[error("failed to read the answer of the server {url}: is it of another version of Nebula?")]
    Answer { url: ServerUrl, source: serde_json::Error },
    #[error(
        "failed to set up the client of the server {url}: {reason}; https:// needs the certificates of the system (the \
         package ca-certificates), or those of SSL_CERT_FILE"
    )]
    Client { url: ServerUrl, reason: String },
}

impl ServerError {
    /// The failure of an exchange that has no answer.
    pub(super) fn of_exchange(url: &ServerUrl, error: &reqwest::Error) -> Self {
        let (url, reason) = (url.clone(), reason(error));
        if let Some(certificate) = causes(error).find_map(certificate_error) {
            return Self::Untrusted { url, reason: distrust(certificate) };
        }
        if error.is_connect() { Self::Unreachable { url, reason } } else { Self::Interrupted { url, reason } }
    }
}

/// The innermost cause of an error. What is around it only says that there is one.
pub(super) fn reason(error: &reqwest::Error) -> String {
    causes(error).last().unwrap_or(error).to_string()
}

/// An error and its causes. An [`io::Error`] around another error has the causes of that error, and not the error itself.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        inner.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source())
    })
}

fn certificate_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a CertificateError> {
    match error.downcast_ref()? {
        rustls::Error::InvalidCertificate(error) => Some(error),
        _ => None,
    }
}

/// Why a certificate is not accepted, and what to do.
fn distrust(error: &CertificateError) -> String {
    match error {
        // The signature is of another authority with the same name.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "no authority that this machine knows has signed its certificate; if yours has, name the authority's \
             certificate in SSL_CERT_FILE"
                .to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired; renew it there, or set this machine's clock".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet; set this machine's clock".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another name; name the server as its certificate does".to_owned()
        }
        other => format!("its certificate is not accepted: {other}"),
    }
}
