//! The bytes of a blob in parts of equal size.

use std::mem;

use bytes::Bytes;
use futures_util::StreamExt as _;
use object_store::PutPayload;

use super::contract::BlobStream;
use crate::host::failure::ServiceError;

/// The bytes of a blob in parts of equal size, as services take them. Only the last part may be smaller.
pub(super) struct Parts {
    content: BlobStream,
    size: usize,
    /// What came with the part before, and belongs to the next one.
    rest: Bytes,
    is_ended: bool,
    /// How many bytes the parts have together so far.
    pub(super) read: u64,
}

impl Parts {
    pub(super) fn new(content: BlobStream, size: usize) -> Self {
        Self { content, size, rest: Bytes::new(), is_ended: false, read: 0 }
    }

    /// The next part. Nothing after the last one, except that the first part may be empty.
    ///
    /// # Errors
    /// That of the content.
    pub(super) async fn next(&mut self) -> Result<Option<PutPayload>, ServiceError> {
        if self.is_ended {
            return Ok(None);
        }
        let (mut pieces, mut left) = (Vec::new(), self.size);
        while left > 0 {
            let mut piece = mem::take(&mut self.rest);
            if piece.is_empty() {
                match self.content.next().await {
                    Some(next) => piece = next?,
                    None => break,
                }
            }
            self.rest = piece.split_off(left.min(piece.len()));
            left -= piece.len();
            pieces.push(piece);
        }
        let read = self.size - left;
        let is_first = self.read == 0;
        self.read += read as u64;
        self.is_ended = left > 0;
        Ok((read > 0 || is_first).then(|| PutPayload::from_iter(pieces)))
    }

    /// Whether the last part was the last one. Where the content ends together with a part, that is not known yet.
    pub(super) fn is_ended(&self) -> bool {
        self.is_ended
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    #[tokio::test]
    async fn parts_are_of_equal_size_however_the_bytes_come() {
        let cases: [(&[usize], &[usize]); 6] = [
            (&[], &[0]),
            (&[0, 0], &[0]),
            (&[3], &[3]),
            (&[4], &[4]),
            (&[1, 2, 3, 4], &[4, 4, 2]),
            (&[11, 0, 1], &[4, 4, 4]),
        ];
        for (pieces, expected) in cases {
            let content = pieces.iter().map(|size| Ok(Bytes::from(vec![7; *size]))).collect::<Vec<_>>();
            let mut parts = Parts::new(stream::iter(content).boxed(), 4);
            let mut sizes = Vec::new();
            while let Some(part) = parts.next().await.unwrap() {
                sizes.push(part.content_length());
            }
            assert_eq!(sizes, expected, "{pieces:?}");
            assert_eq!(parts.read, expected.iter().sum::<usize>() as u64);
        }
    }
}
