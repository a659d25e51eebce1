//! The objects of a bucket, for what keeps other things than functions there.

use std::sync::Arc;

use object_store::{Error, ObjectStore, Result};

use super::{
    cloud,
    shared::StoreAccess,
    url::{Location, StoreUrl},
};

/// The objects in the bucket that `url` names. Nothing is sent yet.
///
/// # Errors
/// A variable is missing or cannot be understood, the system has no certificates, or the URL names no bucket.
pub(crate) fn bucket_objects(url: &StoreUrl, access: &StoreAccess) -> Result<Arc<dyn ObjectStore>> {
    match url.location() {
        Location::Shared(bucket) => cloud::objects(bucket, access),
        Location::Memory | Location::Folder(_) => Err(Error::NotSupported { source: "this is no bucket".into() }),
    }
}
