//! Moving corrupt blobs out of the way.

use object_store::path::Path;

use super::super::{backend::Backend, blob::Blob, error::StoreError, layout};
use crate::function::Digest;

/// Moves a corrupt blob to where nothing reads it, and gives that place. `None` if the blob is not corrupt any more.
///
/// A publish may repair the blob meanwhile. No backend can delete an object on the condition that it is unchanged, so the
/// blob is looked at once more just before.
pub(super) async fn move_aside(backend: &Backend, digest: Digest) -> Result<Option<Path>, StoreError> {
    let path = layout::blob(digest);
    let Some(object) = backend.get(&path).await? else { return Ok(None) };
    let found = Blob::of(object.bytes, backend).await?;
    if found.digest() == digest {
        return Ok(None);
    }
    let kept = layout::damaged(digest, found.digest());
    backend.overwrite(&kept, found.into_bytes()).await?;
    if !matches!(Blob::in_place(backend, digest).await, Err(StoreError::Corrupt { .. })) {
        return Ok(None);
    }
    backend.delete(&path).await?;
    Ok(Some(kept))
}
