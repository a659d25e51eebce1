//! The backends keep the contract, and what users see where they cannot.

#[cfg(feature = "azure")]
mod azure;
#[cfg(feature = "folder")]
mod folder;
#[cfg(feature = "s3")]
mod s3;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::*;
use crate::host::failure::ServiceError;

#[tokio::test]
async fn blobs_in_memory_keep_the_contract() {
    conformance::check(Arc::new(ObjectBlobs::memory())).await;
}

async fn put(blobs: &dyn Blobs, name: &str, bytes: impl Into<Bytes>) -> Result<u64, ServiceError> {
    let bytes = bytes.into();
    blobs.put(name, stream::once(async move { Ok(bytes) }).boxed()).await
}

async fn get(blobs: &dyn Blobs, name: &str) -> Result<Option<Bytes>, ServiceError> {
    let Some(content) = blobs.get(name, BlobRange::ALL).await? else { return Ok(None) };
    Ok(Some(content.bytes.try_collect::<Vec<_>>().await?.concat().into()))
}
