//! What is in a folder of a store, with sizes and times; and deleting it.

use std::{fs::Metadata, io, path::PathBuf};

use futures_util::TryStreamExt as _;
use object_store::{Error, ObjectMeta, ObjectStoreExt as _, path::Path};

use super::super::{
    backend::{ANSWER, Backend},
    error::StoreError,
    folder::files,
    layout::{BLOBS, FUNCTIONS, UNNEEDED},
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

/// A file that a writer was at when it was killed. Only a folder has such files.
#[derive(Debug)]
pub(super) struct Unfinished {
    path: PathBuf,
    pub(super) size: u64,
}

impl Backend {
    /// The files that writers left unfinished, and that were last written up to this time.
    pub(super) async fn unfinished(&self, oldest: Timestamp) -> Result<Vec<Unfinished>, StoreError> {
        let Some(root) = &self.folder else { return Ok(Vec::new()) };
        let mut unfinished = Vec::new();
        for folder in [BLOBS, UNNEEDED, FUNCTIONS].map(|folder| root.join(folder)) {
            let files = files(&folder).await?.into_iter();
            let left = files.filter(|(name, metadata)| is_unfinished(name) && written(metadata) <= oldest);
            unfinished
                .extend(left.map(|(name, metadata)| Unfinished { path: folder.join(name), size: metadata.len() }));
        }
        Ok(unfinished)
    }

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

impl Unfinished {
    pub(super) async fn remove(self) -> Result<(), StoreError> {
        match tokio::fs::remove_file(&self.path).await {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::Folder { action: "remove", path: self.path, source })
            }
            _ => Ok(()),
        }
    }
}

/// `object_store` writes a file beside its place first, whose name ends with `#` and a number.
fn is_unfinished(name: &str) -> bool {
    let number = name.rsplit_once('#').map(|(_, number)| number);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn written(metadata: &Metadata) -> Timestamp {
    metadata.modified().map_or_else(|_| Timestamp::now(), Timestamp::from)
}

impl Listed {
    fn of_file(name: &str, metadata: &Metadata) -> Option<Self> {
        Some(Self { digest: digest(name)?, size: metadata.len(), written: written(metadata) })
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
