//! The connection to a registry: its address, and requests with the authorization that it asks for.

use std::{sync::Arc, time::Duration};

use http::{Method, StatusCode, header::AUTHORIZATION};
use nebula_runtime::store::use_ring;
use reqwest::{Client, RequestBuilder, Response, Url};

use super::{
    answer::RequestError,
    authorization::{Access, Authorization},
    credentials::credentials,
    error::OciError,
    reference::OciReference,
};
use crate::client::Progress;

/// How long a registry may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// The connection to a registry, for one repository.
pub(super) struct Connection {
    client: Client,
    /// The address of the registry: `https://registry.example.com/`.
    base: Url,
    authorization: Authorization,
    /// When something was last sent or received.
    pub(super) progress: Arc<Progress>,
}

impl Connection {
    /// Sets a client up, with the credentials that `docker login` keeps. Nothing is sent yet.
    pub(super) async fn new(reference: &OciReference, access: Access) -> Result<Self, OciError> {
        let failed = |error: reqwest::Error| OciError::Client(error.into());
        // On another machine, a listener between could change what is not signed.
        let scheme = if reference.is_loopback() { "http" } else { "https" };
        let base = format!("{scheme}://{}/", reference.whole().resolve_registry());
        let base = base.parse().map_err(|error| OciError::Client(Box::new(error)))?;
        let client = client(reference.is_loopback()).map_err(failed)?;
        let repository = reference.whole().repository();
        let authorization = Authorization::new(credentials(reference).await?, repository, access);
        Ok(Self { client, base, authorization, progress: Arc::default() })
    }

    /// The address of something in the registry, such as `v2/team/shop/manifests/1.0`.
    pub(super) fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(path);
        url
    }

    /// Sends a request. If the registry asks for an authorization, the request is sent once more with that: `prepare` adds
    /// its headers and its body each time.
    pub(super) async fn send(
        &self,
        method: Method,
        url: &Url,
        prepare: impl Fn(RequestBuilder) -> Result<RequestBuilder, RequestError>,
    ) -> Result<Response, RequestError> {
        let response = self.send_once(&method, url, &prepare).await?;
        if response.status() != StatusCode::UNAUTHORIZED || !self.is_own(response.url()) {
            return Ok(response);
        }
        match self.authorization.answer(&self.client, response.headers(), &self.progress).await? {
            true => self.send_once(&method, url, &prepare).await,
            false => Ok(response),
        }
    }

    async fn send_once(
        &self,
        method: &Method,
        url: &Url,
        prepare: &impl Fn(RequestBuilder) -> Result<RequestBuilder, RequestError>,
    ) -> Result<Response, RequestError> {
        let mut request = prepare(self.client.request(method.clone(), url.clone()))?;
        // A registry may send its client to another host, which is to see no credentials.
        if let Some(header) = self.authorization.header().filter(|_| self.is_own(url)) {
            request = request.header(AUTHORIZATION, header);
        }
        self.progress.note();
        let response = request.send().await?;
        self.progress.note();
        Ok(response)
    }

    /// Whether this is an address of the registry itself.
    fn is_own(&self, url: &Url) -> bool {
        url.origin() == self.base.origin()
    }
}

fn client(is_loopback: bool) -> reqwest::Result<Client> {
    use_ring();
    let builder = Client::builder().user_agent(concat!("nebula/", env!("CARGO_PKG_VERSION"))).connect_timeout(CONNECT);
    // A registry on this machine is not behind a proxy, and its requests, without TLS, need no certificates. All others are
    // reached by TLS, also after a redirection.
    let builder = match is_loopback {
        true => builder.no_proxy().tls_certs_only([]),
        false => builder.https_only(true),
    };
    builder.build()
}
