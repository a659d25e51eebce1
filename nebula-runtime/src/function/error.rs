//! Why a function cannot be published, inspected or listed.

use std::{error::Error, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// Why a function cannot be published, inspected or listed. An invocation fails with an
/// [`InvokeError`](crate::InvokeError) instead.
/// It is written as its kind and its sentence. Its cause is for the log, and is not written.
#[derive(Debug, Clone, Serialize, Deserialize, thiserror::Error)]
#[error("{detail}")]
pub struct RegistryError {
    kind: RegistryErrorKind,
    detail: String,
    #[serde(skip)]
    #[source]
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// The kinds of [`RegistryError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegistryErrorKind {
    /// There is no such function or version.
    NotFound,
    /// The module cannot be run, or its configuration does not fit it.
    Invalid,
    /// Others changed the function at the same time; trying again may succeed.
    Conflict,
    /// The function is not what the caller believes it to be, and was to be changed only if it is.
    Stale,
    /// The caller has no right to do it.
    Forbidden,
    /// The store is out of reach; trying again later may succeed.
    Unavailable,
    /// Nebula failed, or what the store holds is damaged.
    Internal,
}

impl RegistryError {
    /// A failure with a plain sentence for the caller.
    pub fn new(kind: RegistryErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), source: None }
    }

    /// The same with its cause, which is logged and not shown to callers.
    #[must_use]
    pub fn with_source(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: Some(Arc::from(source.into())), ..self }
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> RegistryErrorKind {
        self.kind
    }

    /// The cause, if there is one.
    pub(crate) fn into_source(self) -> Option<Arc<dyn Error + Send + Sync>> {
        self.source
    }

    /// The sentence for the caller.
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl RegistryErrorKind {
    /// The kind's stable name: `not_found`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Invalid => "invalid",
            Self::Conflict => "conflict",
            Self::Stale => "stale",
            Self::Forbidden => "forbidden",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for RegistryErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
