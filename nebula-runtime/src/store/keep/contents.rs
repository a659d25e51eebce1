//! What is in a folder of a store, with sizes and times; and deleting it.

use std::fs::Metadata;

use futures_util::TryStreamExt as _;
use object_store::{Error, ObjectMeta, ObjectStoreExt as _, path::Path};

use super::super::{
    backend::{ANSWER, Backend},
    error::StoreError,
    folder::files,
    shared::is_no_bucket,
};
use crate::function::{Digest, Timestamp};

/// A blob's object, as a listing tells of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listed {
    pub(super) digest: Digest,
    pub(super) size: u64,
    /// When it was written.
    pub(super) written: Timestamp,
}

impl Backend {
    /// The blobs in a folder, in no order. Other objects in the folder are ignored.
    pub(super) async fn blobs(&self, folder: &str) -> Result<Vec<Listed>, StoreError> {
        let folder = Path::from(folder);
        if let Some(root) = &self.folder {
            let files = files(&root.join(folder.as_ref())).await?;
            return Ok(files.iter().filter_map(|(name, metadata)| Listed::of_file(name, metadata)).collect());
        }
        let (mut blobs, mut objects) = (Vec::new(), self.objects.list(Some(&folder)));
        let failed = |source| self.unavailable("list", &folder, source);
        while let Some(object) = self.in_time(ANSWER, objects.try_next()).await.map_err(failed)? {
            blobs.extend(Listed::of_object(&object));
        }
        Ok(blobs)
    }

    /// Deletes an object. It is no error if there is none.
    pub(in crate::store) async fn delete(&self, path: &Path) -> Result<(), StoreError> {
        match self.in_time(ANSWER, self.objects.delete(path)).await {
            Err(error) if is_no_bucket(&error) => Err(self.unavailable("delete", path, error)),
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.unavailable("delete", path, error)),
        }
    }
}

impl Listed {
    fn of_file(name: &str, metadata: &Metadata) -> Option<Self> {
        let written = metadata.modified().map_or_else(|_| Timestamp::now(), Timestamp::from);
        Some(Self { digest: digest(name)?, size: metadata.len(), written })
    }

    fn of_object(object: &ObjectMeta) -> Option<Self> {
        let written = u64::try_from(object.last_modified.timestamp()).unwrap_or_default();
        let digest = digest(object.location.filename()?)?;
        Some(Self { digest, size: object.size, written: Timestamp::from_unix(written) })
    }
}

fn digest(name: &str) -> Option<Digest> {
    format!("sha256:{name}").parse().ok()
}
