//! The failure of a compiler that gives no answer.

use std::io;

use crate::call::{ErrorKind, InvokeError};

/// Why a compiler gave no answer about a module.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error("compiling the module was stopped: it takes more than {0}")]
    Stopped(String),
    #[error("the process that compiles modules does not answer: start the server again")]
    Unreachable(#[source] io::Error),
}

impl From<NoAnswer> for InvokeError {
    fn from(error: NoAnswer) -> Self {
        let kind = match &error {
            NoAnswer::Stopped(_) => ErrorKind::InvalidModule,
            NoAnswer::Unreachable(_) => ErrorKind::Internal,
        };
        Self::new(kind, error.to_string()).with_source(error)
    }
}
