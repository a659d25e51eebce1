//! Compresses answers with gzip for clients that accept it (RFC 9110, section 12.5.3).

use std::{
    io::{self, Write as _},
    mem,
    pin::Pin,
    sync::{Arc, LazyLock},
    task::{Context, Poll, ready},
};

use axum::body::Body;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{
        ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
        ETAG, VARY,
    },
};
use http_body::{Body as _, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::lists::{has_member, members};

/// Answers that are known to be shorter stay as they are: they are one packet anyway.
const SHORTEST: u64 = 1_024;

/// So many compressed bytes are sent at once.
const CHUNK: usize = 16 << 10;

/// How many bytes are compressed before other tasks may run.
const STEP: usize = 64 << 10;

/// How many answers are compressed at once. Each takes about 300 KiB of memory. Further answers are sent as they are.
const AT_ONCE: usize = 256;

static PLACES: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(AT_ONCE)));

/// Whether the client of a request accepts gzip.
pub(super) fn is_accepted<B>(request: &Request<B>) -> bool {
    *request.method() != Method::HEAD && accepts_gzip(request.headers())
}

/// The answer, compressed if its kind is worth it and the client accepts it.
pub(super) fn compress(mut answer: Response<Body>, is_accepted: bool) -> Response<Body> {
    if !is_worth_it(&answer) {
        return answer;
    }
    answer.headers_mut().append(VARY, HeaderValue::from_static("accept-encoding"));
    if !is_accepted {
        return answer;
    }
    let Ok(place) = Arc::clone(&PLACES).try_acquire_owned() else { return answer };
    describe(answer.headers_mut());
    answer.map(|body| Body::new(Compressed::new(body, place)))
}

/// Changes the header fields that speak of the body's bytes.
fn describe(headers: &mut HeaderMap) {
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.remove(CONTENT_LENGTH);
    headers.remove(ACCEPT_RANGES);
    // The tag of these bytes, which are others than before (section 8.8.1).
    if let Some(tag) = headers.get(ETAG).and_then(|tag| tag.to_str().ok()).filter(|tag| tag.starts_with('"'))
        && let Ok(weak) = HeaderValue::from_str(&format!("W/{tag}"))
    {
        headers.insert(ETAG, weak);
    }
}

fn is_worth_it(answer: &Response<Body>) -> bool {
    const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");

    // Most answers are short, and are looked at no further.
    if answer.body().size_hint().upper().is_some_and(|size| size < SHORTEST) {
        return false;
    }
    let headers = answer.headers();
    let is_whole = !matches!(
        answer.status(),
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED
    );
    let is_fixed = [CONTENT_ENCODING, CONTENT_RANGE, CONTENT_DIGEST].iter().any(|name| headers.contains_key(name));
    is_whole
        && !is_fixed
        && !has_member(headers, &CACHE_CONTROL, "no-transform")
        && headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).is_some_and(is_text)
}

/// Whether content of a media type gets smaller: it is a text, or WebAssembly.
fn is_text(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.starts_with("text/")
        || essence.ends_with("+json")
        || essence.ends_with("+xml")
        || matches!(
            essence.as_str(),
            "application/json"
                | "application/x-ndjson"
                | "application/xml"
                | "application/javascript"
                | "application/wasm"
        )
}

/// Whether the client prefers gzip to the answer as it is.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let (mut gzip, mut any, mut identity) = (None, None, None);
    for item in members(headers, &ACCEPT_ENCODING) {
        let (coding, weight) = item.split_once(';').unwrap_or((item, ""));
        let weight = weight.trim().strip_prefix("q=").map_or(Some(1.0), |weight| weight.parse::<f32>().ok());
        match coding.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => gzip = weight,
            "identity" => identity = weight,
            "*" => any = weight,
            _ => {}
        }
    }
    let gzip = gzip.or(any).unwrap_or(0.0);
    gzip > 0.0 && gzip >= identity.unwrap_or(0.0)
}

/// A body that is compressed while it is sent. What the function has written is sent when the function pauses, so that
/// streams keep streaming.
struct Compressed {
    body: Body,
    /// What is left of the last frame.
    rest: Bytes,
    /// `None` once the end is written.
    encoder: Option<GzEncoder<Vec<u8>>>,
    /// Whether the encoder holds bytes back.
    is_holding: bool,
    trailers: Option<HeaderMap>,
    _place: OwnedSemaphorePermit,
}

impl Compressed {
    fn new(body: Body, place: OwnedSemaphorePermit) -> Self {
        let encoder = GzEncoder::new(Vec::new(), Compression::fast());
        Self { body, rest: Bytes::new(), encoder: Some(encoder), is_holding: false, trailers: None, _place: place }
    }

    /// Compresses these bytes. Returns what there is to send, if that is enough for one piece.
    fn write(&mut self, bytes: &[u8]) -> io::Result<Option<Bytes>> {
        let Some(encoder) = &mut self.encoder else { return Ok(None) };
        encoder.write_all(bytes)?;
        self.is_holding = true;
        let is_enough = encoder.get_ref().len() >= CHUNK;
        Ok(is_enough.then(|| mem::take(encoder.get_mut()).into()))
    }

    /// All that was written so far, although more may follow.
    fn flush(&mut self) -> io::Result<Option<Bytes>> {
        let Some(encoder) = self.encoder.as_mut().filter(|_| self.is_holding) else { return Ok(None) };
        encoder.flush()?;
        self.is_holding = false;
        Ok(Some(mem::take(encoder.get_mut()).into()))
    }

    fn finish(&mut self) -> io::Result<Option<Bytes>> {
        self.encoder.take().map(|encoder| encoder.finish().map(Bytes::from)).transpose()
    }
    /// Compresses the next step of the last frame. A long frame lets other tasks run in between.
    fn poll_step(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        let step = self.rest.split_to(self.rest.len().min(STEP));
        let written = self.write(&step);
        if matches!(written, Ok(None)) && !self.rest.is_empty() {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(written)
    }

    /// Takes the next frame of the body. Returns what there is to send when the function pauses or has ended.
    fn poll_body(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, axum::Error>> {
        let written = match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
            Poll::Ready(Some(Ok(frame))) => {
                match frame.into_data() {
                    Ok(bytes) => self.rest = bytes,
                    Err(frame) => self.trailers = frame.into_trailers().ok(),
                }
                Ok(None)
            }
            Poll::Ready(None) => self.finish(),
            Poll::Pending => match self.flush() {
                Ok(None) => return Poll::Pending,
                flushed => flushed,
            },
        };
        Poll::Ready(written.map_err(axum::Error::new))
    }
}

impl http_body::Body for Compressed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        while self.encoder.is_some() {
            let written = match self.rest.is_empty() {
                true => ready!(self.poll_body(context)),
                false => ready!(self.poll_step(context)).map_err(axum::Error::new),
            };
            if let Some(piece) = written.transpose() {
                return Poll::Ready(Some(piece.map(Frame::data)));
            }
        }
        Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.encoder.is_none() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, io::Read as _};

    use flate2::read::GzDecoder;
    use futures_util::{StreamExt as _, stream};
    use http_body_util::BodyExt as _;
    use tokio::sync::mpsc;

    use super::*;

    fn headers(set: &[(&'static str, &'static str)]) -> HeaderMap {
        set.iter().map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn answer(set: &[(&'static str, &'static str)], body: impl Into<Body>) -> Response<Body> {
        let mut answer = Response::new(body.into());
        *answer.headers_mut() = headers(set);
        answer
    }

    fn unpacked(bytes: &[u8]) -> String {
        let mut text = String::new();
        GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn the_client_decides() {
        let cases = [
            ("", false),
            ("gzip", true),
            ("deflate, GZIP;q=0.5, br", true),
            ("x-gzip", true),
            ("br", false),
            ("*", true),
            ("gzip;q=0, *", false),
            ("*;q=0", false),
            ("gzip;q=0.2, identity;q=0.5", false),
            ("gzip;q=much", false),
        ];
        for (accepted, expected) in cases {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(accepted))]);
            assert_eq!(accepts_gzip(&headers), expected, "{accepted}");
        }
    }

    #[test]
    fn only_long_texts_without_a_coding_are_compressed() {
        let long = "a".repeat(2_000);
        let cases = [
            (&[("content-type", "text/plain; charset=utf-8")][..], long.as_str(), true),
            (&[("content-type", "application/problem+json")], &long, true),
            (&[("content-type", "image/svg+xml")], &long, true),
            (&[("content-type", "image/png")], &long, false),
            (&[], &long, false),
            (&[("content-type", "text/plain")], "short", false),
            (&[("content-type", "text/plain"), ("content-encoding", "br")], &long, false),
            (&[("content-type", "text/plain"), ("content-digest", "sha-256=:x:")], &long, false),
            (&[("content-type", "text/plain"), ("cache-control", "public, No-Transform")], &long, false),
        ];
        for (set, body, expected) in cases {
            let answer = compress(answer(set, body.to_owned()), true);
            assert_eq!(answer.headers().contains_key(VARY), expected, "{set:?}");
            assert_eq!(
                answer.headers().get(CONTENT_ENCODING).is_some_and(|coding| coding == "gzip"),
                expected,
                "{set:?}"
            );
        }
    }

    #[tokio::test]
    async fn the_fields_that_speak_of_the_bytes_are_changed() {
        let set = [("content-type", "text/plain"), ("content-length", "2000"), ("etag", "\"a\""), ("vary", "origin")];
        let text = "a".repeat(2_000);
        let sent = compress(answer(&set, text.clone()), true);
        let expected = [
            ("content-type", "text/plain"),
            ("etag", "W/\"a\""),
            ("vary", "origin"),
            ("vary", "accept-encoding"),
            ("content-encoding", "gzip"),
        ];
        assert_eq!(*sent.headers(), headers(&expected));
        let body = sent.into_body().collect().await.unwrap().to_bytes();
        assert!(body.len() < 100 && unpacked(&body) == text);
        let plain = compress(answer(&set, text), false);
        assert_eq!(plain.headers()[CONTENT_LENGTH], "2000");
    }

    #[tokio::test]
    async fn a_long_frame_is_compressed_whole() {
        let text = "a long text. ".repeat(100_000);
        let sent = compress(answer(&[("content-type", "text/plain")], text.clone()), true);
        assert_eq!(unpacked(&sent.into_body().collect().await.unwrap().to_bytes()), text);
    }

    #[tokio::test]
    async fn what_a_function_has_written_is_sent_while_the_function_goes_on() {
        let (write, written) = mpsc::unbounded_channel::<&'static str>();
        let next =
            async |mut written: mpsc::UnboundedReceiver<_>| Some((Ok::<_, Infallible>(written.recv().await?), written));
        let body = Body::from_stream(stream::unfold(written, next));
        let mut sent = compress(answer(&[("content-type", "text/plain")], body), true).into_body().into_data_stream();
        let mut received = Vec::new();
        for word in ["one ", "two "] {
            write.send(word).unwrap();
            received.extend(sent.next().await.unwrap().unwrap());
        }
        let mut text = [0; 8];
        GzDecoder::new(&*received).read_exact(&mut text).unwrap();
        assert_eq!(&text, b"one two ");
        drop(write);
        while let Some(piece) = sent.next().await {
            received.extend(piece.unwrap());
        }
        assert_eq!(unpacked(&received), "one two ");
    }
}
