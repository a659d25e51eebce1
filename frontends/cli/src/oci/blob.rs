//! Blobs that are pushed, from memory or from a file.

use std::{
    fs::File,
    io::{self, Cursor, Read, Seek as _},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use nebula_runtime::Digest;
use tokio::io::{AsyncRead, ReadBuf};

use crate::client::Progress;

/// A blob that is pushed.
///
/// - It is read in small pieces, and may be read again: one reader at a time, from the beginning.
#[derive(Debug)]
pub(crate) struct Blob {
    pub(crate) digest: Digest,
    /// Its size in bytes.
    pub(crate) size: u64,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Bytes(Bytes),
    File(File),
}

impl Blob {
    /// A blob of these bytes.
    pub(crate) fn of(bytes: Bytes) -> Self {
        Self { digest: Digest::of(&bytes), size: bytes.len() as u64, content: Content::Bytes(bytes) }
    }

    /// The whole content of a file, whose size and digest are known.
    pub(crate) fn of_file(file: File, size: u64, digest: Digest) -> Self {
        Self { digest, size, content: Content::File(file) }
    }

    /// Its bytes, from the beginning.
    pub(crate) fn reader(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(match &self.content {
            Content::Bytes(bytes) => Box::new(bytes.as_ref()),
            Content::File(file) => Box::new(rewound(file)?),
        })
    }

    /// Its bytes as the body of a request, from the beginning. `progress` is told of each piece.
    pub(super) fn body(&self, progress: Arc<Progress>) -> io::Result<BlobBody> {
        const CHUNK: usize = 64 << 10;

        let reader: Reader = match &self.content {
            Content::Bytes(bytes) => Box::pin(Cursor::new(bytes.clone())),
            Content::File(file) => Box::pin(tokio::fs::File::from_std(rewound(file)?)),
        };
        Ok(BlobBody { reader, left: self.size, progress, buffer: vec![0; CHUNK] })
    }
}

/// The same file at its beginning. Both have one position.
fn rewound(file: &File) -> io::Result<File> {
    let mut file = file.try_clone()?;
    file.rewind()?;
    Ok(file)
}

type Reader = Pin<Box<dyn AsyncRead + Send + Sync>>;

/// The body of a request with a blob.
pub(super) struct BlobBody {
    reader: Reader,
    left: u64,
    progress: Arc<Progress>,
    buffer: Vec<u8>,
}

impl Body for BlobBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let Self { reader, left, progress, buffer } = &mut *self;
        if *left == 0 {
            return Poll::Ready(None);
        }
        let mut piece = ReadBuf::new(buffer);
        ready!(reader.as_mut().poll_read(context, &mut piece))?;
        progress.note();
        let piece = Bytes::copy_from_slice(piece.filled());
        if piece.is_empty() || piece.len() as u64 > *left {
            return Poll::Ready(Some(Err(io::Error::other("the file was changed meanwhile"))));
        }
        *left -= piece.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn a_blob_is_read_again_from_its_beginning_in_memory_and_in_a_file() {
        let bytes = Bytes::from(vec![7; 200_000]);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        for blob in [Blob::of(bytes.clone()), Blob::of_file(file, 200_000, Digest::of(&bytes))] {
            for _ in 0..2 {
                let body = blob.body(Arc::default()).unwrap();
                assert_eq!(body.size_hint().exact(), Some(200_000));
                assert_eq!(body.collect().await.unwrap().to_bytes(), bytes);
                let mut read = Vec::new();
                blob.reader().unwrap().read_to_end(&mut read).unwrap();
                assert_eq!(read, bytes);
            }
        }
    }

    #[tokio::test]
    async fn a_file_that_became_shorter_or_longer_is_not_pushed() {
        for size in [3, 5] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(b"blob").unwrap();
            let blob = Blob::of_file(file, size, Digest::of(b"blob"));
            assert!(blob.body(Arc::default()).unwrap().collect().await.is_err(), "{size}");
        }
    }
}
