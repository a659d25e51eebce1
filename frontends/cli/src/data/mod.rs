//! The values and the blobs that functions keep in services, wherever these services are.

mod local;
mod remote;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use nebula_runtime::{
    ServiceName,
    blobs::{BlobInfo, BlobStream},
    keyvalue::Page,
};

pub(crate) use self::{local::LocalData, remote::RemoteData};
use crate::failure::Failure;

/// The values and the blobs that functions keep in services.
///
/// - Each method does what its command says. So a command prints the same wherever the services are.
/// - Keys and names of blobs are within the limits of the services. The caller checks them.
/// - A method that fails changes nothing. If the answer of a server is lost, the change may be made.
#[async_trait]
pub(crate) trait Data: Send + Sync {
    /// The value of a key.
    async fn value(&self, service: &ServiceName, key: &str) -> Result<Bytes, Failure>;

    /// Sets the value of a key.
    async fn set_value(&self, service: &ServiceName, key: &str, value: Bytes) -> Result<(), Failure>;

    /// Deletes a key. A key that is not there is no error.
    async fn delete_value(&self, service: &ServiceName, key: &str) -> Result<(), Failure>;

    /// A page of the keys that begin with `prefix`: the first one, or the one after the page with this cursor.
    async fn keys(&self, service: &ServiceName, prefix: &str, cursor: Option<&str>) -> Result<Page, Failure>;

    /// The bytes of a blob.
    async fn blob(&self, service: &ServiceName, name: &str) -> Result<Blob, Failure>;

    /// Makes a blob, or replaces it.
    async fn put_blob(&self, service: &ServiceName, name: &str, content: Content) -> Result<(), Failure>;

    /// Deletes a blob. One that is not there is no error.
    async fn delete_blob(&self, service: &ServiceName, name: &str) -> Result<(), Failure>;

    /// The blobs whose names begin with `prefix`, in no order.
    async fn blobs(
        &self,
        service: &ServiceName,
        prefix: &str,
    ) -> Result<BoxStream<'static, Result<BlobInfo, Failure>>, Failure>;
}

/// A blob that is read.
pub(crate) struct Blob {
    /// The number of its bytes, if it is known.
    pub(crate) size: Option<u64>,
    /// Its bytes, piece by piece.
    pub(crate) bytes: BoxStream<'static, Result<Bytes, Failure>>,
}

/// The bytes of a blob that is written.
pub(crate) struct Content {
    /// The number of bytes, if it is known.
    pub(crate) size: Option<u64>,
    /// The bytes, piece by piece.
    pub(crate) bytes: BlobStream,
}
