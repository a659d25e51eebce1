//! What the clients of all services have in common.

use std::time::Duration;

use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use rustls::crypto::ring;

/// Makes ring the cryptography of all TLS clients of the process, unless the process has chosen another one already. A
/// client of `reqwest` panics if there is none.
pub fn use_ring() {
    let _ = ring::default_provider().install_default();
}

/// A client's options. `endpoint` is the address of the service, where it is not the service's own.
///
/// - An endpoint of `http://` is used as it is: it was named, and on a machine or in a cluster it often has no TLS.
/// - Certificates are checked against those of the system, and those of `SSL_CERT_FILE`. Without TLS they are not read.
/// - There is no time limit here: `Backend` has one for each kind of request.
pub(super) fn options(endpoint: Option<&str>) -> ClientOptions {
    use_ring();
    let is_plain = endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"));
    ClientOptions::new()
        .with_allow_http(is_plain)
        .with_no_system_certificates(is_plain)
        .with_connect_timeout(Duration::from_secs(3))
        .with_timeout_disabled()
}

/// How a request is tried again that the service did not answer, or answered with an error of its own. The defaults go on
/// for three minutes.
pub(super) fn retry() -> RetryConfig {
    let backoff =
        BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(1), base: 2.0 };
    RetryConfig { backoff, max_retries: 5, retry_timeout: Duration::from_secs(4) }
}
