//! What the clients of all services have in common.

use std::time::Duration;

use async_trait::async_trait;
use http::Uri;
use object_store::{
    BackoffConfig, ClientOptions, Error, Result, RetryConfig,
    client::{HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector},
};

use super::ring::use_ring;
use crate::{call::TraceContext, store::shared::Service};

/// A client's options. `endpoint` is the address of a service, where it is not the service's own.
///
/// # Errors
/// The endpoint is no URL of HTTP.
///
/// - An endpoint of `http://` is used as it is: it was named, and on a machine or in a cluster it often has no TLS.
/// - Certificates are checked against those of the system, and those of `SSL_CERT_FILE`. Without TLS they are not read.
/// - There is no time limit here: `Backend` has one for each kind of request.
pub(super) fn options(service: Service, endpoint: Option<&str>) -> Result<ClientOptions> {
    use_ring();
    let is_plain = match endpoint {
        Some(endpoint) => is_plain(service, endpoint)?,
        None => false,
    };
    Ok(ClientOptions::new()
        .with_allow_http(is_plain)
        .with_no_system_certificates(is_plain)
        .with_connect_timeout(Duration::from_secs(3))
        .with_timeout_disabled())
}

/// Makes clients whose requests carry the trace of the caller that they are sent for.
#[derive(Debug)]
pub(super) struct Traced;

impl HttpConnector for Traced {
    fn connect(&self, options: &ClientOptions) -> Result<HttpClient> {
        Ok(HttpClient::new(TracedClient(ReqwestConnector::default().connect(options)?)))
    }
}

#[derive(Debug)]
struct TracedClient(HttpClient);

#[async_trait]
impl HttpService for TracedClient {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        TraceContext::current().add_to(request.headers_mut(), &TraceContext::default());
        self.0.execute(request).await
    }
}

/// Whether an endpoint has no TLS. Some clients panic at their first request if it is no URL.
fn is_plain(service: Service, endpoint: &str) -> Result<bool> {
    let url = endpoint.parse::<Uri>().ok().filter(|url| url.host().is_some_and(|host| !host.is_empty()));
    match url.as_ref().and_then(Uri::scheme_str) {
        Some("http") => Ok(true),
        Some("https") => Ok(false),
        _ => Err(invalid(service, format!("the endpoint {endpoint:?} is no http:// or https:// URL"))),
    }
}

/// What is wrong with a variable.
pub(super) fn invalid(service: Service, message: String) -> Error {
    Error::Generic { store: service.name(), source: message.into() }
}

/// How a request is tried again that the service did not answer, or answered with an error of its own. The defaults go on
/// for three minutes.
pub(super) fn retry() -> RetryConfig {
    let backoff =
        BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(1), base: 2.0 };
    RetryConfig { backoff, max_retries: 5, retry_timeout: Duration::from_secs(4) }
}

/// Sends each request once. For writers that a second try could mislead: see `host::keyvalue`.
#[cfg(feature = "s3")]
pub(super) fn no_retry() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}
