//! Sends requests to a server.

use std::{ffi::OsString, sync::Arc, time::Duration};

use http::{
    HeaderValue,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use nebula_runtime::store::use_ring;
use reqwest::{Body, RequestBuilder, StatusCode, redirect};
use serde::de::DeserializeOwned;

use super::{
    answer,
    call::Call,
    error::{ServerError, reason},
    progress::Progress,
    url::ServerUrl,
};

/// The client of a server.
///
/// - Certificates are checked against those of the system; against those of `SSL_CERT_FILE` instead, if that is set.
/// - A redirection is not followed: the token is for this server only.
pub(crate) struct Client {
    url: ServerUrl,
    /// The value of `Authorization`.
    token: HeaderValue,
    http: reqwest::Client,
}

impl Client {
    /// The client of the server at this address, with the token of the environment. Nothing is sent yet.
    ///
    /// # Errors
    /// There is no token, or it is none; or the system has no certificates.
    pub(crate) fn new(url: ServerUrl, token: Option<OsString>) -> Result<Self, ServerError> {
        let token = token.filter(|token| !token.is_empty()).ok_or_else(|| ServerError::NoToken(url.clone()))?;
        let token = authorization(&token.to_string_lossy())?;
        let http =
            http_client(&url).map_err(|error| ServerError::Client { url: url.clone(), reason: reason(&error) })?;
        Ok(Self { url, token, http })
    }

    /// The address of the server.
    pub(crate) fn url(&self) -> &ServerUrl {
        &self.url
    }

    /// Sends a request, and reads the value in its answer.
    ///
    /// # Errors
    /// The server does not answer, or its answer is no success.
    pub(crate) async fn send<T: DeserializeOwned>(&self, mut call: Call) -> Result<T, ServerError> {
        let (progress, patience) = (Arc::<Progress>::default(), call.patience);
        let mut request = self.http.request(call.method.clone(), self.url.join(&call.path, &call.query));
        request = request.header(AUTHORIZATION, self.token.clone());
        if let Some(body) = call.body.take() {
            request = request.header(CONTENT_TYPE, &body.content_type).header("content-digest", body.content_digest());
            request = request.body(Body::wrap(body.into_body(Arc::clone(&progress))));
        }
        let exchange = progress.unless_stalled(patience, exchange(request, &progress)).await;
        let answered = exchange.ok_or_else(|| ServerError::TooSlow { url: self.url.clone() })?;
        let (status, body) = answered.map_err(|error| ServerError::of_exchange(&self.url, &error))?;
        answer::read(&self.url, status, &body)
    }
}

async fn exchange(request: RequestBuilder, progress: &Progress) -> reqwest::Result<(StatusCode, Vec<u8>)> {
    let mut response = request.send().await?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        progress.note();
        body.extend_from_slice(&chunk);
    }
    Ok((response.status(), body))
}

fn authorization(token: &str) -> Result<HeaderValue, ServerError> {
    let has_token_letters_only = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    let value = HeaderValue::try_from(format!("Bearer {token}")).ok().filter(|_| has_token_letters_only);
    let mut value = value.ok_or(ServerError::InvalidToken)?;
    value.set_sensitive(true);
    Ok(value)
}

fn http_client(url: &ServerUrl) -> reqwest::Result<reqwest::Client> {
    use_ring();
    let builder = reqwest::Client::builder()
        .user_agent(concat!("nebula/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .connect_timeout(Duration::from_secs(10));
    // A server on this machine is not behind a proxy, and its requests, without TLS, need no certificates.
    let builder = if url.is_plain() { builder.no_proxy().tls_certs_only([]) } else { builder };
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(token: Option<&str>) -> String {
        let url = "http://127.0.0.1:1".parse().unwrap();
        Client::new(url, token.map(OsString::from)).err().unwrap().to_string()
    }

    #[test]
    fn a_token_is_needed_and_is_never_shown() {
        for token in [None, Some("")] {
            assert!(refused(token).starts_with("the server http://127.0.0.1:1 wants a token: set NEBULA_TOKEN"));
        }
        for token in ["nebula_ab c", "nebula_ä", "nebula_ab\n"] {
            assert_eq!(refused(Some(token)), "NEBULA_TOKEN is not a token: set it to what nebula token create printed");
        }
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_named() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let client = Client::new(format!("http://{address}").parse().unwrap(), Some("nebula_x".into())).unwrap();
        let failure = client.send::<u32>(Call::get(["functions"])).await.unwrap_err().to_string();
        let expected = format!("failed to reach the server http://{address}: Connection refused (os error 111);");
        assert!(failure.starts_with(&expected), "{failure}");
    }
}
