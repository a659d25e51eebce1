//! Reading the file of a blob.

use std::{fs::File, io, ops::Range, os::unix::fs::FileExt as _, sync::Arc};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::task;

use super::contract::BlobStream;
use crate::host::failure::ServiceError;

/// How much of a file is read at once. `object_store` reads pieces of 8 KiB, each on another thread.
const PIECE: u64 = 256 << 10;

/// The bytes of a file in this range, as they are read.
pub(super) fn read(file: File, range: Range<u64>) -> BlobStream {
    let bytes = stream::try_unfold((Arc::new(file), range), async move |(file, Range { start, end })| {
        let size = PIECE.min(end - start);
        if size == 0 {
            return Ok(None);
        }
        let from = Arc::clone(&file);
        let piece = task::spawn_blocking(move || piece(&from, start, size)).await;
        let piece = piece.map_err(io::Error::from).and_then(|piece| piece);
        let piece = piece.map_err(|error| ServiceError::unavailable("the service failed to read a blob", error))?;
        Ok(Some((piece, (file, start + size..end))))
    });
    bytes.boxed()
}

fn piece(file: &File, start: u64, size: u64) -> io::Result<Bytes> {
    let mut piece = vec![0; usize::try_from(size).unwrap_or_default()];
    file.read_exact_at(&mut piece, start)?;
    Ok(piece.into())
}
