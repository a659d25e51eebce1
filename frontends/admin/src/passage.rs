//! A body that is passed on to a service while it comes.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::HeaderMap;
use nebula_runtime::{
    ServiceError, ServiceErrorKind,
    blobs::{BlobStream, Blobs},
};
use tokio::{select, sync::mpsc, time::Instant};

use crate::{
    content_digest::ContentDigest,
    problem::Problem,
    upload::{UploadLimits, broken_off, check, next, too_slow},
};

/// The next bytes of a body, or its end, or why it has no end.
type Piece = Result<Option<Bytes>, Problem>;

/// Passes a body on. The sender belongs to the connection, and the receiver to the change, which goes on without the
/// connection: a body whose connection is dropped ends as a complete one does, so the end of a body is a message of its own.
///
/// # Errors
/// The body is known to be too large, it has a content coding, or its `Content-Digest` cannot be read.
pub(crate) fn pass_on(headers: &HeaderMap, body: Body, limits: UploadLimits) -> Result<(Sender, Receiver), Problem> {
    check(headers, &body, limits)?;
    let digest = ContentDigest::of(headers)?;
    let (sender, pieces) = mpsc::channel(1);
    let reading = Reading { body, digest, limits, received: 0 };
    Ok((Sender { reading, pieces: sender }, Receiver { pieces }))
}

/// Reads the body.
pub(crate) struct Sender {
    reading: Reading,
    pieces: mpsc::Sender<Piece>,
}

impl Sender {
    /// Sends the body to the receiver, until its end or until the receiver wants no more.
    pub(crate) async fn send(self) {
        let Self { mut reading, pieces } = self;
        let began = Instant::now();
        loop {
            let piece = select! {
                () = pieces.closed() => return,
                piece = reading.next(began) => piece,
            };
            let is_last = !matches!(piece, Ok(Some(_)));
            if pieces.send(piece).await.is_err() || is_last {
                return;
            }
        }
    }
}

/// A body that is being read.
struct Reading {
    body: Body,
    digest: ContentDigest,
    limits: UploadLimits,
    received: u64,
}

impl Reading {
    /// How slowly a body may come that takes longer than others may: so many bytes in a second.
    const SLOWEST: u64 = 32 * 1024;

    async fn next(&mut self, began: Instant) -> Piece {
        let UploadLimits { stall, time, .. } = self.limits;
        let Some(piece) = next(&mut self.body, stall).await? else {
            self.digest.check()?;
            return Ok(None);
        };
        self.received += piece.len() as u64;
        self.limits.check_size(self.received)?;
        if began.elapsed() > time + Duration::from_secs(self.received / Self::SLOWEST) {
            return Err(too_slow());
        }
        self.digest.update(&piece);
        Ok(Some(piece))
    }
}

/// Writes the body.
pub(crate) struct Receiver {
    pieces: mpsc::Receiver<Piece>,
}

impl Receiver {
    /// Writes the body as a blob, which appears if the body comes to its end. Returns its size.
    ///
    /// # Errors
    /// The body does not come to its end, or the service fails.
    pub(crate) async fn put(self, blobs: &dyn Blobs, name: &str) -> Result<u64, Problem> {
        let cut = Arc::<Mutex<Option<Problem>>>::default();
        let put = blobs.put(name, self.content(Arc::clone(&cut))).await;
        put.map_err(|error| {
            let cut = cut.lock().unwrap_or_else(PoisonError::into_inner).take();
            cut.unwrap_or_else(|| error.into())
        })
    }

    /// The bytes. If they end too early, `cut` says why.
    fn content(self, cut: Arc<Mutex<Option<Problem>>>) -> BlobStream {
        let bytes = stream::try_unfold(self.pieces, move |mut pieces| {
            let cut = Arc::clone(&cut);
            async move {
                let problem = match pieces.recv().await {
                    Some(Ok(piece)) => return Ok(piece.map(|piece| (piece, pieces))),
                    Some(Err(problem)) => problem,
                    None => broken_off(),
                };
                let error = ServiceError::new(ServiceErrorKind::Unavailable, problem.detail());
                *cut.lock().unwrap_or_else(PoisonError::into_inner) = Some(problem);
                Err(error)
            }
        });
        bytes.boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, future::ready, io};

    use futures_util::TryStreamExt as _;
    use http::HeaderValue;
    use nebula_runtime::{
        ByteSize,
        blobs::{BlobRange, ObjectBlobs},
    };
    use tokio::{join, time::sleep};

    use super::*;
    use crate::problem::Kind;

    const LIMITS: UploadLimits =
        UploadLimits { size: ByteSize(8), stall: Duration::from_secs(5), time: Duration::from_secs(20) };

    /// Puts a body as the blob `a`. Returns its size or the kind of the failure, and the bytes of the blob afterwards.
    async fn put(fields: &[&'static str], body: Body) -> (Result<u64, Kind>, Option<Vec<u8>>) {
        let blobs = ObjectBlobs::memory();
        let digests = fields
            .iter()
            .map(|field| (http::HeaderName::from_static("content-digest"), HeaderValue::from_static(field)));
        let put = match pass_on(&HeaderMap::from_iter(digests), body, LIMITS) {
            Ok((sender, receiver)) => join!(receiver.put(&blobs, "a"), sender.send()).0,
            Err(problem) => Err(problem),
        };
        let content = blobs.get("a", BlobRange::ALL).await.unwrap();
        let written = match content {
            Some(content) => Some(content.bytes.try_collect::<Vec<_>>().await.unwrap().concat()),
            None => None,
        };
        (put.map_err(|problem| problem.kind()), written)
    }

    fn slow(pause: u64, chunks: usize) -> Body {
        let chunks = stream::iter(0..chunks).then(move |_| async move {
            sleep(Duration::from_secs(pause)).await;
            Ok::<_, Infallible>("a")
        });
        Body::from_stream(chunks)
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_becomes_a_blob_if_it_comes_to_its_end() {
        // Of `(module)`.
        let digest = "sha-256=:GIV3K5TKQbNg2b0HU1VH9MjvFsvn5J0sjpeAJH4mxN4=:";
        let cut = stream::iter([Ok("abc"), Err(io::Error::other("reset"))]);
        let cases: [(&[&str], Body, Result<&str, Kind>); 9] = [
            (&[], Body::from("12345678"), Ok("12345678")),
            (&[], Body::empty(), Ok("")),
            (&[], slow(4, 4), Ok("aaaa")),
            (&[digest], Body::from("(module)"), Ok("(module)")),
            (&[digest], Body::from("(Module)"), Err(Kind::Malformed)),
            (&[], Body::from("123456789"), Err(Kind::TooLarge)),
            (&[], Body::from_stream(cut), Err(Kind::BrokenOff)),
            (&[], slow(6, 1), Err(Kind::TooSlow)),
            (&[], slow(4, 8), Err(Kind::TooSlow)),
        ];
        for (fields, body, expected) in cases {
            let written = expected.ok().map(|text| text.as_bytes().to_vec());
            let expected = expected.map(|text| text.len() as u64);
            assert_eq!(put(fields, body).await, (expected, written));
        }
    }

    #[tokio::test]
    async fn a_body_whose_connection_is_dropped_becomes_no_blob() {
        let blobs = ObjectBlobs::memory();
        let endless = stream::once(ready(Ok::<_, Infallible>("abc"))).chain(stream::pending());
        let (sender, receiver) = pass_on(&HeaderMap::new(), Body::from_stream(endless), LIMITS).unwrap();
        let dropped = async {
            tokio::time::timeout(Duration::from_millis(10), sender.send()).await.unwrap_err();
        };
        let (put, ()) = join!(receiver.put(&blobs, "a"), dropped);
        assert_eq!(put.unwrap_err().kind(), Kind::BrokenOff);
        assert!(blobs.info("a").await.unwrap().is_none());
    }
}
