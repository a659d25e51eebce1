//! The clients of shared stores. A client is made for the service that a store's URL names, and for no other.

#[cfg(not(all(feature = "s3", feature = "gcs", feature = "azure")))]
mod absent;
#[cfg(feature = "azure")]
mod azure;
#[cfg(feature = "cloud")]
mod client;
#[cfg(feature = "gcs")]
mod gcs;
#[cfg(any(feature = "cloud", feature = "nats", feature = "redis"))]
mod ring;
#[cfg(feature = "s3")]
mod s3;

use std::sync::Arc;

#[cfg(feature = "s3")]
use object_store::Error;
use object_store::{ObjectStore, Result, prefix::PrefixStore};

#[cfg(not(feature = "azure"))]
use self::absent as azure;
#[cfg(not(feature = "gcs"))]
use self::absent as gcs;
#[cfg(not(feature = "s3"))]
use self::absent as s3;
#[cfg(any(feature = "cloud", feature = "nats", feature = "redis"))]
pub use self::ring::use_ring;
use super::shared::{Bucket, Service, StoreAccess};
#[cfg(feature = "s3")]
use super::url::{Location, StoreUrl};

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
    Ok(below(bucket, objects))
}

/// The objects in a folder of a bucket of S3, where no request is sent again.
///
/// # Errors
/// It is none of S3, or as [`objects`].
#[cfg(feature = "s3")]
pub(crate) fn objects_sent_once(url: &StoreUrl, access: &StoreAccess) -> Result<Arc<dyn ObjectStore>> {
    match url.location() {
        Location::Shared(bucket) if bucket.service == Service::S3 => {
            Ok(below(bucket, s3::objects_sent_once(&bucket.name, access)?))
        }
        _ => Err(Error::NotSupported { source: "the URL is not one of S3".into() }),
    }
}

/// The objects in the folder of the bucket.
fn below(bucket: &Bucket, objects: Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
    match bucket.prefix.as_str() {
        "" => objects,
        prefix => Arc::new(PrefixStore::new(objects, prefix)),
    }
}
