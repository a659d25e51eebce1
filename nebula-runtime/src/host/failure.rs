//! Why a service did not do what it was asked for.

use std::{error::Error, fmt};

/// Why a service did not do what it was asked for.
///
/// - Its message is shown to guests: it names no address, no user and no password. These belong into the source, which
///   is only logged.
#[derive(Debug)]
pub struct ServiceError {
    kind: ServiceErrorKind,
    detail: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// The kind of a [`ServiceError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServiceErrorKind {
    /// The function may not do this.
    Denied,
    /// A key or a value is not one that the service can keep, or a number was expected where there is none.
    Invalid,
    /// A limit of the grant or of the service is reached.
    LimitExceeded,
    /// The service does not answer, refuses the node's credentials, or failed.
    Unavailable,
}

impl ServiceErrorKind {
    /// The kind's stable name: `denied`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Invalid => "invalid",
            Self::LimitExceeded => "limit_exceeded",
            Self::Unavailable => "unavailable",
        }
    }
}

impl ServiceError {
    /// An error of this kind.
    pub fn new(kind: ServiceErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), source: None }
    }

    /// The service failed, or did not answer.
    pub fn unavailable(detail: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: ServiceErrorKind::Unavailable, detail: detail.into(), source: Some(source.into()) }
    }

    /// Its kind.
    pub fn kind(&self) -> ServiceErrorKind {
        self.kind
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl Error for ServiceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
