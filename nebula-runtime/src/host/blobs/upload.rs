//! A blob that is being written part by part.

use object_store::{MultipartUpload, PutPayload, Result};
use tokio::runtime::Handle;

/// A blob that is being written part by part. If it is dropped before it is complete, its parts are removed.
pub(super) struct Upload(Option<Box<dyn MultipartUpload>>);

impl Upload {
    pub(super) fn new(upload: Box<dyn MultipartUpload>) -> Self {
        Self(Some(upload))
    }

    pub(super) async fn put_part(&mut self, part: PutPayload) -> Result<()> {
        match &mut self.0 {
            Some(upload) => upload.put_part(part).await,
            None => Ok(()),
        }
    }

    /// Makes the blob appear.
    pub(super) async fn complete(&mut self) -> Result<()> {
        if let Some(upload) = &mut self.0 {
            upload.complete().await?;
        }
        self.0 = None;
        Ok(())
    }
}

impl Drop for Upload {
    /// A service keeps parts, and takes money for them, until it is told to remove them.
    fn drop(&mut self) {
        if let (Some(mut upload), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(async move {
                if let Err(error) = upload.abort().await {
                    tracing::warn!(%error, "the parts of a blob that was given up were not removed");
                }
            });
        }
    }
}
