//! Streams answers.
//!
//! `lambda_runtime` can stream too. But after a failure it sends the description of the failure as if it were a part of
//! the body. So a streamed answer is written here, and sent by the same client.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, Once},
    task::{Context, Poll},
};

use axum::{extract::Request, response::Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{CONTENT_TYPE, TRAILER},
};
use http_body::Frame;
use lambda_runtime::{Diagnostic, Error, LambdaInvocation};
use lambda_runtime_api_client::{PooledClient, body::Body, build_request};
use nebula_runtime::InvokeError;
use serde::Serialize;

use crate::{
    answer::failure,
    handler::{FunctionError, Handler},
    json::{fit_for_json, text, without_cookies},
    middleware::{AnswerFuture, Middleware},
};

const RESPONSE_MODE: HeaderName = HeaderName::from_static("lambda-runtime-function-response-mode");
const INVOCATION_ID: HeaderName = HeaderName::from_static("lambda-runtime-invocation-id");
const ERROR_TYPE: HeaderName = HeaderName::from_static("lambda-runtime-function-error-type");
const ERROR_BODY: HeaderName = HeaderName::from_static("lambda-runtime-function-error-body");

/// Middleware that streams the answers to HTTP requests. All other events are answered by the runtime.
#[derive(Clone)]
pub(crate) struct Streaming {
    pub(crate) handler: Arc<Handler>,
    pub(crate) client: Arc<PooledClient>,
}

impl Middleware for Streaming {
    fn answer(
        &self,
        invocation: LambdaInvocation,
        inner: impl FnOnce(LambdaInvocation) -> AnswerFuture,
    ) -> AnswerFuture {
        match self.handler.streamed(&invocation) {
            Some(request) => Box::pin(self.clone().stream(request, invocation)),
            None => inner(invocation),
        }
    }
}

impl Streaming {
    async fn stream(self, request: Request, invocation: LambdaInvocation) -> Result<(), Error> {
        let is_head = request.method() == Method::HEAD;
        let mut answer = self.handler.app.answer(request).await;
        if is_head {
            *answer.body_mut() = axum::body::Body::empty();
        }
        let id = &invocation.context.request_id;
        // As with answers that are sent whole, a failure here is one of this invocation only.
        match self.client.call(post(id, &invocation.parts.headers, answer)?).await {
            Ok(taken) if taken.status().is_success() => {}
            Ok(refused) => tracing::error!(id, status = %refused.status(), "Lambda refused the answer"),
            Err(error) => tracing::error!(id, error = &*error, "the connection to Lambda broke off during the answer"),
        }
        Ok(())
    }
}

/// The request that streams an answer (AWS Lambda Developer Guide, "Building a custom runtime", "Implementing response
/// streaming").
fn post(id: &str, next: &HeaderMap, answer: Response) -> Result<http::Request<Body>, Error> {
    let mut request = build_request()
        .method(Method::POST)
        .uri(format!("/2018-06-01/runtime/invocation/{id}/response"))
        .header(RESPONSE_MODE, "streaming")
        .header(CONTENT_TYPE, "application/vnd.awslambda.http-integration-response")
        .header(TRAILER, ERROR_TYPE)
        .header(TRAILER, ERROR_BODY)
        .body(Body::new(Stream::new(answer)?))?;
    // With this id, Lambda recognises an answer that comes too late.
    if let Some(id) = next.get(INVOCATION_ID) {
        request.headers_mut().insert(INVOCATION_ID, id.clone());
    }
    Ok(request)
}

/// The status and the headers, which are sent before the body.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Prelude {
    status_code: u16,
    headers: BTreeMap<String, String>,
    cookies: Vec<String>,
}

impl Prelude {
    fn of(answer: &http::response::Parts) -> Self {
        let (mut headers, cookies) = without_cookies(fit_for_json(answer.headers.clone()));
        headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/octet-stream"));
        let headers = headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        Self { status_code: answer.status.as_u16(), headers, cookies }
    }
}

/// The prelude, the answer's body and, if that breaks off, trailers that say why. Reading the stream runs the function.
struct Stream {
    /// The prelude and its delimiter, each as a chunk: the emulator of cargo-lambda expects that.
    prelude: std::array::IntoIter<Bytes, 2>,
    /// `None` after it has broken off.
    body: Option<axum::body::Body>,
}

impl Stream {
    fn new(answer: Response) -> Result<Self, Error> {
        const DELIMITER: Bytes = Bytes::from_static(&[0; 8]);

        let (parts, body) = answer.into_parts();
        let prelude = serde_json::to_vec(&Prelude::of(&parts))?;
        Ok(Self { prelude: [prelude.into(), DELIMITER].into_iter(), body: Some(body) })
    }
}

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(prelude) = self.prelude.next() {
            return Poll::Ready(Some(Ok(Frame::data(prelude))));
        }
        loop {
            let Some(body) = &mut self.body else { return Poll::Ready(None) };
            match Pin::new(body).poll_frame(context) {
                // AWS Lambda has no place for the function's own trailers.
                Poll::Ready(Some(Ok(frame))) if !frame.is_data() => note_dropped_trailers(),
                Poll::Ready(Some(Err(error))) => {
                    self.body = None;
                    return Poll::Ready(Some(trailers(failure(error)).map(Frame::trailers)));
                }
                other => return other.map(|frame| frame.map(|frame| frame.map_err(Error::from))),
            }
        }
    }
}

fn note_dropped_trailers() {
    static NOTED: Once = Once::new();

    NOTED.call_once(|| tracing::warn!("trailers of an answer were dropped, because AWS Lambda has none"));
}

/// The trailers that report a failure after the answer has begun.
fn trailers(failure: InvokeError) -> Result<HeaderMap, Error> {
    let diagnostic = Diagnostic::from(FunctionError(failure));
    let body = STANDARD.encode(serde_json::to_vec(&diagnostic)?);
    let fields = [(ERROR_TYPE, diagnostic.error_type), (ERROR_BODY, body)];
    fields.into_iter().map(|(name, value)| Ok((name, HeaderValue::try_from(value)?))).collect()
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use nebula_runtime::ErrorKind;

    use super::*;

    async fn frames(body: axum::body::Body) -> Vec<String> {
        let mut answer = Response::new(body);
        answer.headers_mut().append("set-cookie", HeaderValue::from_static("a=1"));
        let (mut stream, mut frames) = (Stream::new(answer).unwrap(), Vec::new());
        while let Some(frame) = stream.frame().await {
            frames.push(match frame.unwrap().into_data() {
                Ok(data) => String::from_utf8(data.into()).unwrap(),
                Err(frame) => format!("{:?}", frame.into_trailers().unwrap()),
            });
        }
        frames
    }

    const PRELUDE: &str =
        "{\"statusCode\":200,\"headers\":{\"content-type\":\"application/octet-stream\"},\"cookies\":[\"a=1\"]}";

    const DELIMITER: &str = "\0\0\0\0\0\0\0\0";

    #[tokio::test]
    async fn the_body_is_streamed_after_the_prelude() {
        let body = futures_util::stream::iter([Ok::<_, Error>("one"), Ok("two")]);
        assert_eq!(frames(axum::body::Body::from_stream(body)).await, [PRELUDE, DELIMITER, "one", "two"]);
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_ends_in_trailers_that_say_why() {
        let failure = InvokeError::new(ErrorKind::Timeout, "it took too long");
        let body = futures_util::stream::iter([Ok("one"), Err(failure)]);
        let error = STANDARD.encode(r#"{"errorType":"timeout","errorMessage":"it took too long"}"#);
        let trailers = format!("{{\"{ERROR_TYPE}\": \"timeout\", \"{ERROR_BODY}\": \"{error}\"}}");
        assert_eq!(frames(axum::body::Body::from_stream(body)).await, [PRELUDE, DELIMITER, "one", &trailers]);
    }
}
