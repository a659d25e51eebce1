//! The error for something that a function needs and that this node does not have.

use crate::call::{ErrorKind, InvokeError};

/// The error for something that a function needs and that this node does not have.
pub(super) fn missing(detail: String) -> InvokeError {
    InvokeError::new(ErrorKind::Unavailable, detail)
}
