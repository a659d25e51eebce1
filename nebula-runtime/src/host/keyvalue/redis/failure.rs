//! What an error of the client means.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::host::{
    failure::{ServiceError, ServiceErrorKind},
    keyvalue::messages::{FAILED, LATE, REFUSED, TOO_LARGE, UNREACHABLE},
};

/// Whether the connection is of no use after this error. A server that only reads was replaced by another one, which the
/// address leads to soon.
pub(super) fn is_loss(error: &RedisError) -> bool {
    error.is_unrecoverable_error() || error.is_timeout() || error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
}

pub(super) fn is_refusal(error: &RedisError) -> bool {
    error.kind() == ErrorKind::AuthenticationFailed
        || matches!(error.code(), Some("NOAUTH" | "WRONGPASS" | "NOPERM"))
        || error.detail().is_some_and(|detail| detail.contains("WRONGPASS") || detail.contains("NOAUTH"))
}

/// The error of an operation.
pub(super) fn failure(error: RedisError) -> ServiceError {
    let detail = error.detail().unwrap_or_default();
    let told = |kind, detail: &str| ServiceError::new(kind, detail);
    match error.code() {
        _ if is_refusal(&error) => ServiceError::unavailable(REFUSED, error),
        _ if error.is_timeout() => ServiceError::unavailable(LATE, error),
        _ if error.is_io_error() => ServiceError::unavailable(UNREACHABLE, error),
        Some("WRONGTYPE") => {
            told(ServiceErrorKind::Invalid, "the key has something else than a string in the key-value service")
        }
        Some("OOM") => told(ServiceErrorKind::LimitExceeded, "the key-value service has no memory for more values"),
        Some("ERR") if detail.contains("not an integer") => {
            told(ServiceErrorKind::Invalid, "the value is not a whole number of 64 bits, so it cannot be incremented")
        }
        Some("ERR") if detail.contains("would overflow") => {
            told(ServiceErrorKind::Invalid, "the sum would be more than a number of 64 bits can be")
        }
        Some("ERR") if detail.contains("exceeds maximum allowed size") => {
            told(ServiceErrorKind::LimitExceeded, TOO_LARGE)
        }
        _ => ServiceError::unavailable(FAILED, error),
    }
}
