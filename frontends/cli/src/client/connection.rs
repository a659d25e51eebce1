//! Sends requests to a server.

use std::{ffi::OsString, sync::Arc, time::Duration};

use http::{
    HeaderValue,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use nebula_runtime::store::use_ring;
use reqwest::{Response, StatusCode, redirect};
use serde::de::DeserializeOwned;

use super::{
    answer,
    call::Call,
    error::{ServerError, reason},
    opened::Opened,
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
    pub(crate) async fn send<T: DeserializeOwned>(&self, call: Call) -> Result<T, ServerError> {
        let (status, body) = self.exchange(call).await?;
        answer::read(&self.url, status, &body)
    }

    /// Sends a request whose answer has nothing in it.
    ///
    /// # Errors
    /// The server does not answer, or its answer is no success.
    pub(crate) async fn done(&self, call: Call) -> Result<(), ServerError> {
        match self.exchange(call).await? {
            (StatusCode::NO_CONTENT, _) => Ok(()),
            (status, body) => Err(answer::refusal(self.url.clone(), status, &body)),
        }
    }

    /// Sends a request, and opens the bytes of this media type in its answer.
    ///
    /// # Errors
    /// The server does not answer, or its answer is no success.
    pub(crate) async fn open(&self, call: Call, media_type: &str) -> Result<Opened, ServerError> {
        let (progress, patience) = (Arc::<Progress>::default(), call.patience);
        let response = self.begin(call, &progress).await?;
        let is_of_type = response.headers().get(CONTENT_TYPE).is_some_and(|found| found == media_type);
        if response.status() == StatusCode::OK && is_of_type {
            return Ok(Opened::of(self.url.clone(), response, patience));
        }
        let status = response.status();
        let body = self.in_time(patience, &progress, rest(response, &progress)).await?;
        Err(answer::refusal(self.url.clone(), status, &body))
    }

    /// Sends a request, and reads its answer to the end.
    async fn exchange(&self, call: Call) -> Result<(StatusCode, Vec<u8>), ServerError> {
        let (progress, patience) = (Arc::<Progress>::default(), call.patience);
        let response = self.begin(call, &progress).await?;
        let status = response.status();
        Ok((status, self.in_time(patience, &progress, rest(response, &progress)).await?))
    }

    /// Sends a request, and reads the head of its answer.
    async fn begin(&self, mut call: Call, progress: &Arc<Progress>) -> Result<Response, ServerError> {
        let mut request = self.http.request(call.method.clone(), self.url.join(&call.path, &call.query));
        request = request.header(AUTHORIZATION, self.token.clone());
        if let Some(body) = call.body.take() {
            request = request.header(CONTENT_TYPE, &body.content_type);
            if let Some(digest) = body.content_digest() {
                request = request.header("content-digest", digest);
            }
            request = request.body(body.into_body(Arc::clone(progress)));
        }
        self.in_time(call.patience, progress, request.send()).await
    }

    async fn in_time<T>(
        &self,
        patience: Duration,
        progress: &Progress,
        exchange: impl Future<Output = reqwest::Result<T>>,
    ) -> Result<T, ServerError> {
        let exchanged = progress.unless_stalled(patience, exchange).await;
        let exchanged = exchanged.ok_or_else(|| ServerError::TooSlow { url: self.url.clone() })?;
        exchanged.map_err(|error| ServerError::of_exchange(&self.url, &error))
    }
}

/// The rest of an answer.
async fn rest(mut response: Response, progress: &Progress) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        progress.note();
        body.extend_from_slice(&chunk);
    }
    Ok(body)
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
