//! The clients of shared stores. A client is made for the service that a store's URL names, and for no other.

#[cfg(not(all(feature = "s3", feature = "gcs", feature = "azure")))]
mod absent;
#[cfg(feature = "azure")]
mod azure;
#[cfg(feature = "cloud")]
mod client;
#[cfg(feature = "gcs")]
mod gcs;
#[cfg(feature = "s3")]
mod s3;

use std::sync::Arc;

use object_store::{ObjectStore, Result, prefix::PrefixStore};

#[cfg(not(feature = "azure"))]
use self::absent as azure;
#[cfg(not(feature = "gcs"))]
use self::absent as gcs;
#[cfg(not(feature = "s3"))]
use self::absent as s3;
#[cfg(feature = "cloud")]
pub use self::client::use_ring;
use super::shared::{Bucket, Service, StoreAccess};

/// The objects in a folder of a bucket. Nothing is sent yet.
///
/// # Errors
/// A variable is missing or cannot be understood, or the system has no certificates.
pub(super) fn objects(bucket: &Bucket, access: &StoreAccess) -> Result<Arc<dyn ObjectStore>> {
    let objects = match bucket.service {
        Service::S3 => s3::objects(&bucket.name, access)?,
        Service::Gcs => gcs::objects(&bucket.name, access)?,
        Service::Azure => azure::objects(&bucket.name, access)?,
    };
    Ok(match bucket.prefix.as_str() {
        "" => objects,
        prefix => Arc::new(PrefixStore::new(objects, prefix)),
    })
}
