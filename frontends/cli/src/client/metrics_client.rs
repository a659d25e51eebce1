//! The client of a server's metrics.

use std::time::Duration;

use nebula_runtime::store::use_ring;
use reqwest::{StatusCode, redirect};

use super::{error::reason, metrics_address::MetricsAddress};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The client of a server's metrics.
pub(crate) struct MetricsClient {
    address: MetricsAddress,
    http: reqwest::Client,
}

/// Why the metrics of a server cannot be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MetricsError {
    #[error("failed to reach the server {address}: {reason}; check the address, and that nebula serve runs there")]
    Unreachable { address: String, reason: String },
    #[error(
        "{address} does not show the metrics of Nebula: status {status}; name the address that nebula serve listens on"
    )]
    NotNebula { address: String, status: StatusCode },
    #[error(
        "failed to set up the client of {address}: {reason}; https:// needs the certificates of the system (the package \
         ca-certificates), or those of SSL_CERT_FILE"
    )]
    Client { address: String, reason: String },
}

impl MetricsClient {
    /// The client of the server at this address. Nothing is sent yet.
    ///
    /// # Errors
    /// The system has no certificates.
    pub(crate) fn new(address: MetricsAddress) -> Result<Self, MetricsError> {
        match http_client(&address) {
            Ok(http) => Ok(Self { address, http }),
            Err(error) => Err(MetricsError::Client { address: address.to_string(), reason: reason(&error) }),
        }
    }

    /// The metrics of the server now: the text of `/metrics`.
    ///
    /// # Errors
    /// The server does not answer, or not with metrics.
    pub(crate) async fn read(&self) -> Result<String, MetricsError> {
        let unreachable =
            |error| MetricsError::Unreachable { address: self.address.to_string(), reason: reason(&error) };
        let response = self.http.get(self.address.metrics()).send().await.map_err(unreachable)?;
        let status = response.status();
        let text = response.text().await.map_err(unreachable)?;
        if status.is_success() { Ok(text) } else { Err(self.not_nebula(status)) }
    }

    /// The failure that the server shows no metrics of Nebula.
    pub(crate) fn not_nebula(&self, status: StatusCode) -> MetricsError {
        MetricsError::NotNebula { address: self.address.to_string(), status }
    }
}

fn http_client(address: &MetricsAddress) -> reqwest::Result<reqwest::Client> {
    use_ring();
    let builder = reqwest::Client::builder()
        .user_agent(concat!("nebula/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .timeout(PATIENCE);
    // Requests without TLS need no certificates.
    let plain = |builder: reqwest::ClientBuilder| builder.no_proxy().tls_certs_only([]);
    match address {
        MetricsAddress::Url(url) if url.scheme() == "http" => plain(builder).build(),
        MetricsAddress::Url(_) => builder.build(),
        MetricsAddress::Socket(path) => plain(builder).unix_socket(path.as_path()).build(),
    }
}
