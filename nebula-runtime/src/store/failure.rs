//! A store's failure in plain words.

use super::error::StoreError;
use crate::function::{RegistryError, RegistryErrorKind};

/// What the caller is told where the store holds something else than was published.
const DAMAGED: &str = "what the store has of the function is damaged; publish the function again to mend it";

/// What the caller is told where this build cannot read what the store holds.
const NEWER: &str = "a newer Nebula wrote what the store has of the function; use a newer Nebula here";

impl From<StoreError> for RegistryError {
    fn from(error: StoreError) -> Self {
        let (kind, detail) = match &error {
            StoreError::Unavailable { .. } | StoreError::Folder { .. } => {
                (RegistryErrorKind::Unavailable, "the store is out of reach".to_owned())
            }
            StoreError::Gone { .. } => (RegistryErrorKind::Unavailable, "the store is gone from its place".to_owned()),
            StoreError::Contended { .. } => (RegistryErrorKind::Conflict, error.to_string()),
            StoreError::NoVersion { .. } => (RegistryErrorKind::NotFound, error.to_string()),
            StoreError::NoCompareAndSwap { .. } => (RegistryErrorKind::Internal, error.to_string()),
            StoreError::NewerFormat { .. } => (RegistryErrorKind::Internal, NEWER.to_owned()),
            StoreError::Missing { .. }
            | StoreError::Corrupt { .. }
            | StoreError::Malformed { .. }
            | StoreError::Unwritable { .. } => (RegistryErrorKind::Internal, DAMAGED.to_owned()),
        };
        Self::new(kind, detail).with_source(error)
    }
}
