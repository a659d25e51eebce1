//! Bytes that are named by their digest.

use bytes::Bytes;
use object_store::path::Path;
use tokio::task;

use super::{
    backend::{Backend, Object},
    error::StoreError,
    layout::{self, BLOBS},
};
use crate::function::Digest;

/// Bytes that are named by their digest.
///
/// - The digest is always that of the bytes: every function that makes a blob computes it.
#[derive(Debug, Clone)]
pub(super) struct Blob {
    digest: Digest,
    bytes: Bytes,
}

/// Up to this size, bytes are hashed in about the time it takes to wake another thread (at 0.3 to 2 GB/s).
const HASHED_IN_PLACE: usize = 64 * 1024;

impl Blob {
    /// The blob of these bytes.
    pub(super) fn new(bytes: Bytes) -> Self {
        Self { digest: Digest::of(&bytes), bytes }
    }

    pub(super) fn digest(&self) -> Digest {
        self.digest
    }

    pub(super) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub(super) fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Like [`Blob::new`], on a blocking thread where hashing takes long.
    pub(super) async fn of(bytes: Bytes, backend: &Backend) -> Result<Self, StoreError> {
        if bytes.len() <= HASHED_IN_PLACE {
            return Ok(Self::new(bytes));
        }
        let hashed = task::spawn_blocking(move || Self::new(bytes)).await;
        hashed.map_err(|stopped| backend.unavailable("hash a blob for", &Path::from(BLOBS), stopped.into()))
    }

    /// Reads a blob and verifies it. A blob that is set aside is read there.
    pub(super) async fn read(backend: &Backend, digest: Digest) -> Result<Self, StoreError> {
        match Self::in_place(backend, digest).await {
            Err(StoreError::Missing { .. }) => Self::read_at(&layout::unneeded(digest), backend, digest).await,
            read => read,
        }
    }

    /// Reads a blob and verifies it, unless it is set aside.
    pub(super) async fn in_place(backend: &Backend, digest: Digest) -> Result<Self, StoreError> {
        Self::read_at(&layout::blob(digest), backend, digest).await
    }

    /// Reads a blob at this place, and verifies it.
    pub(super) async fn read_at(path: &Path, backend: &Backend, digest: Digest) -> Result<Self, StoreError> {
        match backend.get(path).await? {
            Some(object) => Self::verified(object, digest, backend).await,
            None => Err(StoreError::Missing { digest, store: backend.name() }),
        }
    }

    /// The blob of an object that was read under the name of `digest`.
    async fn verified(object: Object, digest: Digest, backend: &Backend) -> Result<Self, StoreError> {
        let blob = Self::of(object.bytes, backend).await?;
        if blob.digest == digest {
            Ok(blob)
        } else {
            Err(StoreError::Corrupt { digest, found: blob.digest, store: backend.name() })
        }
    }

    /// Writes the blob where the store does not have it, or has set it aside. A blob that the store has is verified, and
    /// written again if it is corrupt: after a publish that succeeds, every byte is there.
    pub(super) async fn write(&self, backend: &Backend) -> Result<(), StoreError> {
        let path = layout::blob(self.digest);
        match Self::in_place(backend, self.digest).await {
            Ok(_) => Ok(()),
            Err(StoreError::Missing { .. }) => match backend.create(&path, self.bytes.clone()).await? {
                None => Ok(()),
                // Another publisher has written this blob meanwhile. Its bytes should be the same.
                Some(another) => Self::verified(another, self.digest, backend).await.map(drop),
            },
            Err(StoreError::Corrupt { digest, .. }) => {
                tracing::warn!(%digest, store = backend.name(), "a blob was corrupt and is written again");
                backend.overwrite(&path, self.bytes.clone()).await
            }
            Err(error) => Err(error),
        }
    }
}
