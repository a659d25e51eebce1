//! Where the objects of a container are, and how long their service may take.

use std::{sync::Arc, time::Duration};

use object_store::{Error, ObjectStore};
use tokio::time::timeout;

use super::folder::Folder;
use crate::{host::failure::ServiceError, store::is_no_bucket};

/// Where the objects of a container are.
#[derive(Clone)]
pub(super) enum Objects {
    /// In memory, or where an embedder has them.
    Here(Arc<dyn ObjectStore>),
    /// In a folder, which is opened at the first operation.
    #[cfg_attr(not(feature = "folder"), expect(dead_code, reason = "this build has no folders"))]
    Folder(Arc<Folder>),
    /// In a service, which may not answer.
    Shared(Arc<dyn ObjectStore>),
}

/// How long a service may take to begin an answer, or to go on with it: longer than it ever takes while it is well.
const ANSWER: Duration = Duration::from_secs(10);

/// How slowly a service may take bytes: so many in a second.
const SLOWEST: u64 = 32 * 1024;

impl Objects {
    /// The objects.
    ///
    /// # Errors
    /// A folder cannot be made or opened.
    pub(super) async fn open(&self) -> Result<Arc<dyn ObjectStore>, ServiceError> {
        match self {
            Self::Here(objects) | Self::Shared(objects) => Ok(Arc::clone(objects)),
            Self::Folder(folder) => folder.open().await,
        }
    }

    /// The same for an operation that writes nothing.
    pub(super) async fn open_to_read(&self) -> Result<Arc<dyn ObjectStore>, ServiceError> {
        match self {
            Self::Here(objects) | Self::Shared(objects) => Ok(Arc::clone(objects)),
            Self::Folder(folder) => folder.open_to_read().await,
        }
    }

    pub(super) fn is_folder(&self) -> bool {
        matches!(self, Self::Folder(_))
    }

    /// The result of a request that sends `bytes`, where that comes in time.
    pub(super) async fn in_time<T>(&self, bytes: u64, request: impl Future<Output = T>) -> Result<T, ServiceError> {
        let Self::Shared(_) = self else { return Ok(request.await) };
        let time = ANSWER + Duration::from_secs(bytes / SLOWEST);
        let late = |late| ServiceError::unavailable(format!("the service did not answer within {time:?}"), late);
        timeout(time, request).await.map_err(late)
    }
}

/// The error of a guest whose service failed to do what it was asked for.
pub(super) fn failed(action: &str, error: Error) -> ServiceError {
    match error {
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
            ServiceError::unavailable("the service refused the node's credentials", error)
        }
        error if is_no_bucket(&error) => ServiceError::unavailable("the bucket of the service does not exist", error),
        error => ServiceError::unavailable(format!("the service failed to {action}"), error),
    }
}

/// Whether an object is not there.
pub(super) fn is_missing(error: &Error) -> bool {
    matches!(error, Error::NotFound { .. }) && !is_no_bucket(error)
}
