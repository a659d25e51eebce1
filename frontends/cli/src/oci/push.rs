//! Pushing a version.

use nebula_runtime::{
    Digest,
    store::{VersionBlobs, trust::Signature},
};

use super::{
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
/// The registry does not answer, or refuses.
pub(crate) async fn push(
    reference: &OciReference,
    version: VersionBlobs,
    version_signatures: &[Signature],
) -> Result<Digest, OciError> {
    let registry = Registry::of(reference).await?;
    for blob in [version.module, version.config] {
        registry.push_blob(blob).await?;
    }
    let subject = Descriptor::of(MANIFEST, &version.manifest);
    registry.push_manifest(reference.whole(), version.manifest, MANIFEST).await?;
    signatures::push(&registry, &subject, version_signatures).await?;
    Ok(subject.digest)
}
