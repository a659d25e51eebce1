//! The body of a request.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use nebula_runtime::{Digest, FunctionConfig, Origin, blobs::BlobStream};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{progress::Progress, streamed::StreamedBody};

/// The body of a request.
pub(crate) struct Upload {
    pub(super) content_type: String,
    content: Content,
}

enum Content {
    /// In memory, in parts.
    Whole(Vec<Bytes>),
    /// As it comes. Its size may be known.
    Streamed(Option<u64>, BlobStream),
}

impl Upload {
    /// A body of one part.
    pub(super) fn of(content_type: &str, body: Bytes) -> Self {
        Self { content_type: content_type.to_owned(), content: Content::Whole(vec![body]) }
    }

    /// Bytes of which nothing is known.
    pub(crate) fn octets(body: Bytes) -> Self {
        Self::of(OCTETS, body)
    }

    /// Bytes that are sent as they come. An error among them breaks the request off.
    pub(crate) fn streamed(size: Option<u64>, bytes: BlobStream) -> Self {
        Self { content_type: OCTETS.to_owned(), content: Content::Streamed(size, bytes) }
    }

    /// A function to publish: its module, its configuration if it is not the default, and its origin if it has one.
    pub(crate) fn function(module: Bytes, config: &FunctionConfig, origin: Option<&Origin>) -> Self {
        if *config == FunctionConfig::default() && origin.is_none() {
            return Self::of("application/wasm", module);
        }
        // No module contains its own digest, so the boundary is not a part of the module. JSON has no line breaks here, so it
        // is not a part of the documents.
        let boundary = format!("nebula-{}", Digest::of(&module).hex());
        let mut parts = json_part(&boundary, "configuration", config).to_vec();
        parts.extend(origin.iter().flat_map(|origin| json_part(&boundary, "origin", origin)));
        parts.extend([
            part_head(&boundary, "module", "application/wasm").into(),
            module,
            format!("\r\n--{boundary}--\r\n").into(),
        ]);
        Self { content_type: format!("multipart/form-data; boundary={boundary}"), content: Content::Whole(parts) }
    }

    /// The value of `Content-Digest` (RFC 9530), if the whole body is known.
    pub(super) fn content_digest(&self) -> Option<String> {
        let Content::Whole(parts) = &self.content else { return None };
        let mut hasher = Sha256::new();
        parts.iter().for_each(|part| hasher.update(part));
        Some(format!("sha-256=:{}:", STANDARD.encode(hasher.finalize())))
    }

    /// The body as it is sent. `progress` is told of each chunk.
    pub(super) fn into_body(self, progress: Arc<Progress>) -> reqwest::Body {
        match self.content {
            Content::Whole(parts) => reqwest::Body::wrap(UploadBody { left: parts.into(), progress }),
            Content::Streamed(size, bytes) => reqwest::Body::wrap(StreamedBody::new(size, bytes, progress)),
        }
    }
}

/// The media type of bytes of which nothing is known.
pub(super) const OCTETS: &str = "application/octet-stream";

/// A part of a multipart body with a document, and the line break before the next part.
fn json_part(boundary: &str, name: &str, document: &impl Serialize) -> [Bytes; 3] {
    // A configuration and an origin always serialize: the store writes them in the same way.
    let json = serde_json::to_vec(document).unwrap_or_default();
    [part_head(boundary, name, "application/json").into(), json.into(), Bytes::from_static(b"\r\n")]
}

/// The beginning of a part of a multipart body (RFC 7578).
fn part_head(boundary: &str, name: &str, content_type: &str) -> String {
    format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\nContent-Type: {content_type}\r\n\r\n")
}

/// A body in memory, which is sent in small chunks, so that a connection that stands still is told from a slow one.
struct UploadBody {
    left: VecDeque<Bytes>,
    progress: Arc<Progress>,
}

impl Body for UploadBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        const CHUNK: usize = 64 << 10;

        self.progress.note();
        let chunk = self.left.front_mut().map(|part| part.split_to(part.len().min(CHUNK)));
        while self.left.front().is_some_and(Bytes::is_empty) {
            self.left.pop_front();
        }
        Poll::Ready(chunk.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.iter().map(|part| part.len() as u64).sum())
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    async fn sent(upload: Upload) -> String {
        let body = upload.into_body(Arc::default());
        let announced = body.size_hint().exact();
        let bytes = body.collect().await.unwrap().to_bytes();
        assert_eq!(announced, Some(bytes.len() as u64));
        String::from_utf8(bytes.into()).unwrap()
    }

    #[tokio::test]
    async fn a_module_without_a_configuration_is_the_whole_body() {
        let module = "x".repeat(200_000);
        let upload = Upload::function(module.clone().into(), &FunctionConfig::default(), None);
        assert_eq!(upload.content_type, "application/wasm");
        assert_eq!(sent(upload).await, module);
    }

    #[tokio::test]
    async fn a_configuration_an_origin_and_a_module_are_the_parts_of_a_form() {
        let mut config = FunctionConfig::default();
        config.args = vec!["--json".to_owned()];
        let digest = Digest::of(b"");
        let origin = Origin::new("oci://r.example.com/shop:1", digest, None);
        let upload = Upload::function("(module)".into(), &config, Some(&origin));
        let boundary = upload.content_type.strip_prefix("multipart/form-data; boundary=").unwrap().to_owned();
        let expected = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"configuration\"\r\n\
             Content-Type: application/json\r\n\r\n{{\"limits\":{{}},\"args\":[\"--json\"]}}\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"origin\"\r\nContent-Type: application/json\r\n\r\n\
             {{\"reference\":\"oci://r.example.com/shop:1\",\"digest\":\"{digest}\"}}\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"module\"\r\n\
             Content-Type: application/wasm\r\n\r\n(module)\r\n--{boundary}--\r\n"
        );
        assert_eq!(sent(upload).await, expected);
    }

    #[test]
    fn a_digest_is_that_of_the_example_in_rfc_9530() {
        // RFC 9530, appendix D.
        let upload = Upload::of("application/json", Bytes::from_static(b"{\"hello\": \"world\"}\n"));
        let expected = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:";
        assert_eq!(upload.content_digest().as_deref(), Some(expected));
    }
}
