//! In place of folders, in a build without them.

use std::sync::Arc;

use object_store::ObjectStore;

use crate::host::failure::ServiceError;

/// A folder of blobs, which this build does not have.
pub(super) enum Folder {}

impl Folder {
    #[expect(clippy::unused_async, reason = "as that of a build with folders")]
    pub(super) async fn open(&self) -> Result<Arc<dyn ObjectStore>, ServiceError> {
        match *self {}
    }

    #[expect(clippy::unused_async, reason = "as that of a build with folders")]
    pub(super) async fn open_to_read(&self) -> Result<Arc<dyn ObjectStore>, ServiceError> {
        match *self {}
    }
}
