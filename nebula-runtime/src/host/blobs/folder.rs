//! Blobs in the files of a folder.

use std::{io, path::PathBuf, sync::Arc};

use object_store::{ObjectStore, local::LocalFileSystem, memory::InMemory};
use tokio::sync::OnceCell;

use crate::host::failure::ServiceError;

/// A folder of blobs, which is opened at the first operation, and made at the first one that writes.
pub(super) struct Folder {
    path: PathBuf,
    opened: OnceCell<Arc<dyn ObjectStore>>,
}

impl Folder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, opened: OnceCell::new() }
    }

    /// The objects of the folder.
    ///
    /// # Errors
    /// The folder cannot be made or opened.
    pub(super) async fn open(&self) -> Result<Arc<dyn ObjectStore>, ServiceError> {
        self.opened.get_or_try_init(|| self.make()).await.cloned()
    }

    /// The same for an operation that writes nothing. A folder that does not exist has no objects, and is not made.
    pub(super) async fn open_to_read(&self) -> Result<Arc<dyn ObjectStore>, ServiceError> {
        let is_missing =
            !self.opened.initialized() && tokio::fs::try_exists(&self.path).await.is_ok_and(|exists| !exists);
        if is_missing { Ok(Arc::new(InMemory::new())) } else { self.open().await }
    }

    async fn make(&self) -> Result<Arc<dyn ObjectStore>, ServiceError> {
        let made = tokio::fs::create_dir_all(&self.path).await;
        made.map_err(|error| ServiceError::unavailable(cannot_be_made(&error), error))?;
        let objects = LocalFileSystem::new_with_prefix(&self.path)
            .map_err(|error| ServiceError::unavailable("the folder of the service cannot be opened", error))?;
        // A file that was written survives a loss of power, and a folder without files is removed.
        Ok(Arc::new(objects.with_fsync(true).with_automatic_cleanup(true)))
    }
}

fn cannot_be_made(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem => {
            "the folder of the service is on a file system that cannot be written to, as that of a package on AWS Lambda: \
             use a folder in /tmp, or a service such as s3://BUCKET"
        }
        _ => "the folder of the service cannot be made",
    }
}
