//! Pushing a version, or an image.

use bytes::Bytes;
use nebula_runtime::{
    Digest,
    store::{VersionBlobs, trust::Signature},
};

use super::{
    authorization::Access,
    blob::Blob,
    descriptor::{Descriptor, MANIFEST},
    error::OciError,
    reference::OciReference,
    registry::Registry,
    signatures,
};

/// Pushes the blobs of a version and its signatures, and returns the digest of its manifest. It is the same in each
/// registry as in the store, so that the signatures hold there. The manifest comes after the blobs, and the signatures after
/// the manifest.
///
/// # Errors
/// The reference has a digest, or the registry does not answer, or refuses.
pub(crate) async fn push(
    reference: &OciReference,
    version: VersionBlobs,
    version_signatures: &[Signature],
) -> Result<Digest, OciError> {
    let registry = to(reference).await?;
    for blob in [version.module, version.config].into_iter().chain(version.snapshot) {
        registry.push_blob(&Blob::of(blob)).await?;
    }
    let subject = Descriptor::of(MANIFEST, &version.manifest);
    registry.push_manifest(reference.whole(), version.manifest, MANIFEST).await?;
    signatures::push(&registry, &subject, version_signatures).await?;
    Ok(subject.digest)
}

/// Pushes the blobs of an image, and then its manifest.
///
/// # Errors
/// The reference has a digest, or the registry does not answer, or refuses.
pub(crate) async fn push_image<'a>(
    reference: &OciReference,
    blobs: impl IntoIterator<Item = &'a Blob>,
    manifest: Bytes,
) -> Result<(), OciError> {
    let registry = to(reference).await?;
    for blob in blobs {
        registry.push_blob(blob).await?;
    }
    registry.push_manifest(reference.whole(), manifest, MANIFEST).await
}

async fn to(reference: &OciReference) -> Result<Registry, OciError> {
    match reference.digest() {
        Some(_) => Err(OciError::PushToDigest { reference: reference.to_string() }),
        None => Registry::of(reference, Access::Push).await,
    }
}
