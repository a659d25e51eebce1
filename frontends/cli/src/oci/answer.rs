//! Answers of registries. Each is read up to a limit, because a registry may be of a stranger.

use std::{io, time::Duration};

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use nebula_runtime::ByteSize;
use reqwest::Response;
use serde::Deserialize;

use crate::client::Progress;

/// How much of an error's body is read.
const MAX_ERROR: ByteSize = ByteSize::kib(64);

/// How much of an error's message is shown.
const MAX_MESSAGE: usize = 300;

/// Why a request to a registry failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    /// The registry cannot be reached, or the connection broke off.
    #[error(transparent)]
    Connection(#[from] reqwest::Error),
    #[error("the registry answers with status {status}{message}")]
    Status { status: StatusCode, message: String },
    #[error("the server of tokens that the registry names answers with status {status}{message}")]
    NoToken { status: StatusCode, message: String },
    #[error("the registry asks for a token in a way that is not understood")]
    Challenge,
    #[error("the server of tokens that the registry names does not answer with a token")]
    NotAToken,
    #[error("the registry does not say where to upload a blob")]
    NoLocation,
    #[error("the answer is larger than {0}")]
    TooLarge(ByteSize),
    #[error("nothing was sent or received within {0:?}")]
    Stalled(Duration),
    #[error("no answer within {0:?}")]
    Late(Duration),
    #[error("failed to read the blob that is pushed")]
    Blob(#[from] io::Error),
}

/// Reads an answer of at most `max`.
pub(super) async fn read(mut response: Response, max: ByteSize, progress: &Progress) -> Result<Bytes, RequestError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        progress.note();
        if (body.len() + chunk.len()) as u64 > max.as_u64() {
            return Err(RequestError::TooLarge(max));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// The answer, if it is a success.
pub(super) async fn success(response: Response) -> Result<Response, RequestError> {
    if response.status().is_success() {
        return Ok(response);
    }
    let (status, message) = failure(response).await;
    Err(RequestError::Status { status, message })
}

/// The status of an answer that is no success, and what it says of the reason: `: DENIED: …`, or nothing.
pub(super) async fn failure(mut response: Response) -> (StatusCode, String) {
    let (status, mut body) = (response.status(), BytesMut::new());
    // An error without its message is still an error.
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() as u64 > MAX_ERROR.as_u64() {
            break;
        }
    }
    (status, message(&body))
}

/// The body of an error (OCI distribution specification, "Error Codes").
#[derive(Deserialize)]
struct Failures {
    errors: Vec<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    code: String,
    #[serde(default)]
    message: String,
}

fn message(body: &[u8]) -> String {
    let failures = serde_json::from_slice(body).map(|Failures { errors }| errors).unwrap_or_default();
    let Some(Failure { code, message }) = failures.first() else { return String::new() };
    let text = format!(": {code}: {message}");
    // It is written to a terminal.
    text.chars().filter(|letter| !letter.is_control()).take(MAX_MESSAGE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_short_line() {
        let long = format!(r#"{{"errors":[{{"code":"A","message":"{}"}}]}}"#, "x".repeat(1000));
        let cases = [
            (r#"{"errors":[{"code":"DENIED","message":"no\u001b[31m\nway"}]}"#, ": DENIED: no[31mway".to_owned()),
            (r#"{"errors":[]}"#, String::new()),
            ("<html>", String::new()),
            (&long, format!(": A: {}", "x".repeat(MAX_MESSAGE - 5))),
        ];
        for (body, expected) in cases {
            assert_eq!(message(body.as_bytes()), expected, "{body}");
        }
    }
}
