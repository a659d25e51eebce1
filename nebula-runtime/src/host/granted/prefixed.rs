//! Names of keys and blobs, with the prefix of a grant.

use crate::host::failure::{ServiceError, ServiceErrorKind};

/// The name as the service knows it. `noun` says in errors what it names, and `most` is the longest name in the service, in
/// bytes.
pub(super) fn prefixed(prefix: &str, name: &str, noun: &str, most: usize) -> Result<String, ServiceError> {
    let most = most.saturating_sub(prefix.len());
    if name.is_empty() || name.len() > most {
        let detail = format!("{noun} must have 1 to {most} bytes, and this one has {}", name.len());
        return Err(ServiceError::new(ServiceErrorKind::Invalid, detail));
    }
    Ok(format!("{prefix}{name}"))
}
