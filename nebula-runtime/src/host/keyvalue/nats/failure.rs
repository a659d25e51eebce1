//! What an error of the client means.

use std::{error::Error, iter::successors};

use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use tokio::time::error::Elapsed;

use crate::host::{
    failure::{ServiceError, ServiceErrorKind},
    keyvalue::messages::{FAILED, LATE, TOO_LARGE},
};

pub(super) fn late(elapsed: Elapsed) -> ServiceError {
    ServiceError::unavailable(LATE, elapsed)
}

pub(super) fn broken(error: async_nats::Error) -> ServiceError {
    ServiceError::unavailable(FAILED, error)
}

/// The error of an operation.
pub(super) fn failure(error: impl Error + Send + Sync + 'static) -> ServiceError {
    let causes = || successors(Some(&error as &(dyn Error + 'static)), cause_of);
    let publishing = causes().find_map(|cause| cause.downcast_ref::<PublishError>()).map(PublishError::kind);
    if publishing == Some(PublishErrorKind::MaxPayloadExceeded) {
        return ServiceError::new(ServiceErrorKind::LimitExceeded, TOO_LARGE);
    }
    // The client has a type of its own for each operation that can be late.
    let is_late = causes().any(|cause| cause.to_string().contains("timed out"));
    ServiceError::unavailable(if is_late { LATE } else { FAILED }, error)
}

fn cause_of<'a>(error: &&'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let error: &'a (dyn Error + 'static) = *error;
    error.source()
}
