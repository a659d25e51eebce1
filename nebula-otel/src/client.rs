//! Sends requests to a collector (OTLP/HTTP, "Request", "Response" and "Retry").

use std::{error::Error, io::Write as _, time::Duration};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, USER_AGENT},
};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use tokio::time::timeout;

use crate::{
    config::Endpoint,
    tls::{self, TlsError},
};

/// The most that is read of an answer.
const MOST: usize = 64 << 10;

/// Sends requests to one endpoint of a collector. The connections are kept.
pub(crate) struct CollectorClient {
    http: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    endpoint: Endpoint,
}

/// Why a request was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// The collector was not reached, or its answer broke off.
    #[error("the collector is out of reach")]
    Unreachable(#[source] Box<dyn Error + Send + Sync>),
    #[error("the collector has not answered within {0:?}")]
    NoAnswer(Duration),
    #[error("the collector answered {status}")]
    Refused { status: StatusCode, retry_after: Option<Duration> },
    #[error("failed to make the request")]
    Request(#[from] http::Error),
}

impl CollectorClient {
    pub(crate) fn new(endpoint: Endpoint) -> Result<Self, TlsError> {
        let connector = tls::connector(endpoint.certificate.as_deref())?;
        let http = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
        Ok(Self { http, endpoint })
    }

    /// Sends one request, and returns the body of the answer, which says what was not taken.
    pub(crate) async fn send(&self, message: Vec<u8>) -> Result<Bytes, SendError> {
        let request = self.request(message)?;
        let limit = self.endpoint.timeout;
        let answered = timeout(limit, async { taken(self.http.request(request).await.map_err(out_of_reach)?).await });
        answered.await.map_err(|_| SendError::NoAnswer(limit))?
    }

    fn request(&self, message: Vec<u8>) -> Result<Request<Full<Bytes>>, http::Error> {
        let Endpoint { url, headers, is_compressed, .. } = &self.endpoint;
        let mut request = Request::builder().method(Method::POST).uri(url);
        if let Some(fields) = request.headers_mut() {
            fields.insert(USER_AGENT, HeaderValue::from_static(concat!("nebula-otel/", env!("CARGO_PKG_VERSION"))));
            fields.extend(headers.clone());
            fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        }
        if !is_compressed {
            return request.body(Full::from(message));
        }
        request.header(CONTENT_ENCODING, "gzip").body(Full::from(compressed(&message)))
    }
}

impl SendError {
    /// Whether the same request may be taken later, and when the collector wants it at the earliest.
    pub(crate) fn retry(&self) -> Option<Option<Duration>> {
        match self {
            Self::Unreachable(_) => Some(None),
            Self::Refused { status, retry_after } => is_retryable(*status).then_some(*retry_after),
            Self::NoAnswer(_) | Self::Request(_) => None,
        }
    }
}

async fn taken(response: Response<Incoming>) -> Result<Bytes, SendError> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, MOST).collect().await.map_err(SendError::Unreachable)?;
    if head.status.is_success() {
        return Ok(body.to_bytes());
    }
    let retry_after = head.headers.get(RETRY_AFTER).and_then(|field| field.to_str().ok()?.parse().ok());
    Err(SendError::Refused { status: head.status, retry_after: retry_after.map(Duration::from_secs) })
}

fn out_of_reach(error: impl Into<Box<dyn Error + Send + Sync>>) -> SendError {
    SendError::Unreachable(error.into())
}

/// OTLP/HTTP, "Retryable Response Codes".
fn is_retryable(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

fn compressed(message: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory cannot fail.
    let _ = encoder.write_all(message);
    encoder.finish().unwrap_or_default()
}
