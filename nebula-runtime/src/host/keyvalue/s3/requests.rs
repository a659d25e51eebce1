//! Requests to the service, with their time limits and errors.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::{
    Attributes, Error, GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, UpdateVersion,
    path::Path,
};
use tokio::time::{sleep, timeout};

use super::object::Object;
use crate::{
    host::{
        failure::{ServiceError, ServiceErrorKind},
        keyvalue::{
            messages::{FAILED, LATE, REFUSED, TOO_LARGE, UNREACHABLE},
            versioned::Found,
        },
    },
    store::is_no_bucket,
};

/// The objects of the bucket. Each request of theirs is sent once.
pub(super) struct Requests(pub(super) Arc<dyn ObjectStore>);

/// How long the service may take for an answer, besides the time for the bytes.
const ANSWER: Duration = Duration::from_secs(10);

/// How slowly the service may take or send a value, in bytes a second.
const SLOWEST: u64 = 32 * 1024;

/// How often a request is sent that may be sent again.
const TRIES: u32 = 4;

/// How long the first pause is at most after a request that failed.
const PAUSE: Duration = Duration::from_millis(100);

impl Requests {
    /// The value of an object with its version.
    pub(super) async fn get(&self, path: &Path) -> Result<Found<Option<UpdateVersion>>, ServiceError> {
        let mut tries = Tries::default();
        loop {
            let found = self.get_once(path).await;
            match tries.pause_after(&found) {
                Some(pause) => sleep(pause).await,
                None => return Ok(unless_absent(found)?.unwrap_or(Found { value: None, version: None })),
            }
        }
    }

    async fn get_once(&self, path: &Path) -> Result<Found<Option<UpdateVersion>>, Failed> {
        let found = in_time(0, self.0.get_opts(path, GetOptions::default())).await?;
        let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
        let value = in_time(found.meta.size, found.bytes()).await?;
        Ok(Found { value: Some(value), version: Some(version) })
    }

    /// The metadata of an object, if that is there.
    pub(super) async fn head(&self, path: &Path) -> Result<Option<Attributes>, ServiceError> {
        let mut tries = Tries::default();
        loop {
            let options = GetOptions { head: true, ..GetOptions::default() };
            let found = in_time(0, self.0.get_opts(path, options)).await;
            match tries.pause_after(&found) {
                Some(pause) => sleep(pause).await,
                None => return Ok(unless_absent(found)?.map(|found| found.attributes)),
            }
        }
    }

    /// Writes an object, over another one if there is one.
    pub(super) async fn overwrite(&self, object: &Object, value: Bytes) -> Result<(), ServiceError> {
        let mut tries = Tries::default();
        loop {
            let written = self.put(object, value.clone(), PutMode::Overwrite).await;
            match tries.pause_after(&written) {
                Some(pause) => sleep(pause).await,
                None => return written.map_err(failure),
            }
        }
    }

    /// Writes an object if the condition holds. Returns whether it did. The request is sent once: one that is sent again
    /// could meet its own first success, and the caller would write a second time.
    pub(super) async fn put_if(&self, object: &Object, value: Bytes, mode: PutMode) -> Result<bool, ServiceError> {
        match self.put(object, value, mode).await {
            Ok(()) => Ok(true),
            // S3 may also tell a conflict with a writer that then writes nothing.
            Err(Failed::Told(Error::AlreadyExists { .. } | Error::Precondition { .. })) => Ok(false),
            Err(error) => Err(failure(error)),
        }
    }

    async fn put(&self, object: &Object, value: Bytes, mode: PutMode) -> Result<(), Failed> {
        let Object { path, attributes } = object;
        let options = PutOptions { mode, attributes: attributes.clone(), ..PutOptions::default() };
        in_time(value.len() as u64, self.0.put_opts(path, value.into(), options)).await.map(drop)
    }

    pub(super) async fn delete(&self, path: &Path) -> Result<(), ServiceError> {
        let mut tries = Tries::default();
        loop {
            let deleted = in_time(0, self.0.delete(path)).await;
            match tries.pause_after(&deleted) {
                Some(pause) => sleep(pause).await,
                None => return unless_absent(deleted).map(drop),
            }
        }
    }

    /// At most `most` objects whose names begin with `start` and stand after `after`, in the order of their names.
    pub(super) async fn list(&self, start: &str, after: &str, most: usize) -> Result<Vec<Path>, ServiceError> {
        let mut tries = Tries::default();
        loop {
            let listed = self.list_once(start, after, most).await;
            match tries.pause_after(&listed) {
                Some(pause) => sleep(pause).await,
                None => return listed.map_err(failure),
            }
        }
    }

    async fn list_once(&self, start: &str, after: &str, most: usize) -> Result<Vec<Path>, Failed> {
        let folder = start.rsplit_once('/').map(|(folder, _)| Path::from(folder));
        let mut objects = match after {
            "" => self.0.list(None),
            after => self.0.list_with_offset(folder.as_ref(), &Path::from(after)),
        };
        let mut paths = Vec::new();
        while paths.len() < most
            && let Some(ObjectMeta { location, .. }) = in_time(0, objects.try_next()).await?
        {
            match location.as_ref() {
                name if name.starts_with(start) => paths.push(location),
                name if name > start => break,
                _ => {}
            }
        }
        Ok(paths)
    }
}

/// Why a request failed.
enum Failed {
    Late,
    Told(Error),
}

/// The answer to a request about so many bytes, if it comes in time.
async fn in_time<T>(bytes: u64, request: impl Future<Output = Result<T, Error>>) -> Result<T, Failed> {
    let time = ANSWER + Duration::from_secs(bytes / SLOWEST);
    timeout(time, request).await.map_err(|_| Failed::Late)?.map_err(Failed::Told)
}

/// The tries of a request that may be sent again.
#[derive(Default)]
struct Tries(u32);

impl Tries {
    /// How long to wait before the next try; nothing if this result is the last one.
    fn pause_after<T>(&mut self, result: &Result<T, Failed>) -> Option<Duration> {
        self.0 += 1;
        let may_pass = matches!(result, Err(Failed::Told(error)) if may_pass(error));
        (may_pass && self.0 < TRIES).then(|| PAUSE.mul_f64(fastrand::f64()) * 2_u32.pow(self.0))
    }
}

/// Whether another try may have another result.
fn may_pass(error: &Error) -> bool {
    matches!(error, Error::Generic { .. })
}

fn unless_absent<T>(result: Result<T, Failed>) -> Result<Option<T>, ServiceError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(Failed::Told(error @ Error::NotFound { .. })) if !is_no_bucket(&error) => Ok(None),
        Err(error) => Err(failure(error)),
    }
}

fn failure(failed: Failed) -> ServiceError {
    let error = match failed {
        Failed::Late => return ServiceError::unavailable(LATE, format!("no answer within {ANSWER:?}")),
        Failed::Told(error) => error,
    };
    let told = error.to_string();
    if told.contains("EntityTooLarge") {
        return ServiceError::new(ServiceErrorKind::LimitExceeded, TOO_LARGE);
    }
    let detail = match &error {
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => REFUSED,
        // The client was told of no status, so it had no answer.
        Error::Generic { .. } if !told.contains("status") => UNREACHABLE,
        _ if is_no_bucket(&error) => "the bucket of the key-value service is not there",
        _ => FAILED,
    };
    ServiceError::unavailable(detail, error)
}
