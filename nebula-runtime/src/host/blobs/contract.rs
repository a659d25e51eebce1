//! The contract of a backend of blob containers.

use std::{
    fmt,
    ops::Range,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream, stream::BoxStream};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{function::Timestamp, host::failure::ServiceError};

/// The longest name, in bytes.
pub const MAX_NAME: usize = 1024;

/// The bytes of a blob, piece by piece.
pub type BlobStream = BoxStream<'static, Result<Bytes, ServiceError>>;

/// A backend of blob containers. Nodes configure one for each service.
///
/// # What an implementor owes
/// - A name is any text of 1 to [`MAX_NAME`] bytes. Where the service allows less in a name, the backend encodes it. If
///   the service has no room for the encoded name, the error is [`Invalid`](crate::ServiceErrorKind::Invalid).
/// - A blob appears as a whole or not at all. While it is replaced, a reader gets the old bytes or the new ones, and
///   never a mixture. A reader that has begun goes on to read the blob that it began to read.
/// - When [`Blobs::put`], [`Blobs::delete`] or [`Blobs::copy`] has returned, the change is as durable as the service
///   makes it, and each later read by any node sees it.
/// - The memory that an operation needs does not depend on the size of the blob, except where the blobs are in memory.
/// - Dropping a future or a stream gives the operation up: a blob that was being put does not appear.
/// - A connection is made at the first operation, and made again after it was lost. A service that does not answer is
///   an error or a future that stays pending, and never blocks another operation.
/// - The message of an error has no address, no user and no password.
/// - `conformance::check` passes.
///
/// # What a caller may assume
/// - The host checks names and the grant's limits before it calls a backend.
/// - Operations of different callers run at the same time, in any order. The last one to end of two puts wins.
#[async_trait]
pub trait Blobs: Send + Sync + 'static {
    /// The bytes of a blob in this range. Nothing if there is no such blob. A range beyond the blob's end selects no
    /// bytes.
    async fn get(&self, name: &str, range: BlobRange) -> Result<Option<BlobContent>, ServiceError>;

    /// Makes a blob, or replaces it. Returns its size.
    ///
    /// # Errors
    /// An error of `content` is returned as it is, and the blob does not appear.
    async fn put(&self, name: &str, content: BlobStream) -> Result<u64, ServiceError>;

    /// Removes a blob. One that is not there is no error.
    async fn delete(&self, name: &str) -> Result<(), ServiceError>;

    /// What is known of a blob, if it is there.
    async fn info(&self, name: &str) -> Result<Option<BlobInfo>, ServiceError>;

    /// The blobs whose names begin with `prefix`, in no order. A blob that is there during the whole listing is listed.
    fn list(&self, prefix: &str) -> BoxStream<'static, Result<BlobInfo, ServiceError>>;

    /// Copies a blob within the container, over another one if there is one. Returns whether there is a blob `from`.
    async fn copy(&self, from: &str, to: &str) -> Result<bool, ServiceError>;
}

/// What is known of a blob.
///
/// - As JSON, its time is that of a [`Timestamp`], to the second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobInfo {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was made or last replaced.
    #[serde(serialize_with = "write_time", deserialize_with = "read_time")]
    pub created: SystemTime,
}

fn write_time<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    Timestamp::from(*time).serialize(serializer)
}

fn read_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SystemTime, D::Error> {
    let time = Timestamp::deserialize(deserializer)?;
    Ok(UNIX_EPOCH + Duration::from_secs(time.as_unix()))
}

/// Bytes of a blob that are being read.
pub struct BlobContent {
    /// The number of bytes.
    pub size: u64,
    /// The bytes.
    pub bytes: BlobStream,
}

impl BlobContent {
    /// No bytes.
    pub fn empty() -> Self {
        Self { size: 0, bytes: stream::empty().boxed() }
    }
}

impl fmt::Debug for BlobContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobContent").field("size", &self.size).finish_non_exhaustive()
    }
}

/// A range of a blob's bytes: the first and the last one. A range whose first byte is behind its last one is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobRange {
    first: u64,
    last: u64,
}

impl BlobRange {
    /// The whole blob.
    pub const ALL: Self = Self { first: 0, last: u64::MAX };

    /// From byte `first` to byte `last`, both included. Bytes are counted from 0.
    pub fn new(first: u64, last: u64) -> Self {
        Self { first, last }
    }

    /// The first byte.
    pub fn first(self) -> u64 {
        self.first
    }

    /// The last byte.
    pub fn last(self) -> u64 {
        self.last
    }

    /// Whether it selects no byte of any blob.
    pub fn is_empty(self) -> bool {
        self.first > self.last
    }

    /// The bytes that it selects of a blob of `size` bytes, without the end.
    pub fn of(self, size: u64) -> Range<u64> {
        let end = self.last.saturating_add(1).min(size);
        self.first.min(end)..end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_both_of_its_ends_and_none_beyond_the_blob() {
        let cases = [
            ((0, 0), 0..1),
            ((2, 4), 2..5),
            ((0, u64::MAX), 0..10),
            ((9, 10), 9..10),
            ((10, 20), 10..10),
            ((12, u64::MAX), 10..10),
            ((5, 4), 5..5),
            ((7, 2), 3..3),
        ];
        for ((first, last), selected) in cases {
            assert_eq!(BlobRange::new(first, last).of(10), selected, "{first} to {last}");
        }
    }
}
