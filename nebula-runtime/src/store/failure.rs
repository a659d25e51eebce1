//! A store's failure in plain words.

use super::{error::StoreError, layout::BLOBS};
use crate::function::{RegistryError, RegistryErrorKind};

/// The message where the store holds something else than was published.
const DAMAGED: &str = "the function is damaged in the store; publish it again to repair it";

/// The message where this build cannot read what a newer one wrote.
const NEWER: &str = "a newer Nebula published the function; use a newer Nebula here";

impl From<StoreError> for RegistryError {
    fn from(error: StoreError) -> Self {
        let (kind, detail) = match &error {
            StoreError::Unavailable { .. } | StoreError::Folder { .. } | StoreError::NeitherWrittenNorThere { .. } => {
                (RegistryErrorKind::Unavailable, "the store is out of reach".to_owned())
            }
            StoreError::Gone { .. } => (RegistryErrorKind::Unavailable, "the store is gone from its place".to_owned()),
            StoreError::Contended { .. } => (RegistryErrorKind::Conflict, error.to_string()),
            StoreError::Stale { .. } => (RegistryErrorKind::Stale, error.to_string()),
            StoreError::NoVersion { .. } | StoreError::NoAlias { .. } | StoreError::NotPublished { .. } => {
                (RegistryErrorKind::NotFound, error.to_string())
            }
            StoreError::PointedTo { .. } | StoreError::NoNumber { .. } => {
                (RegistryErrorKind::Invalid, error.to_string())
            }
            StoreError::NoCompareAndSwap { .. } => (RegistryErrorKind::Internal, error.to_string()),
            StoreError::NewerFormat { .. } => (RegistryErrorKind::Internal, NEWER.to_owned()),
            // Its digest was checked: it is what was published, and has a setting that this build does not know.
            StoreError::Malformed { object, .. } if object.starts_with(BLOBS) => {
                (RegistryErrorKind::Internal, NEWER.to_owned())
            }
            StoreError::Missing { .. }
            | StoreError::Corrupt { .. }
            | StoreError::Malformed { .. }
            | StoreError::NoSignature { .. }
            | StoreError::Unwritable { .. } => (RegistryErrorKind::Internal, DAMAGED.to_owned()),
        };
        Self::new(kind, detail).with_source(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_that_this_build_does_not_understand_is_of_a_newer_one_and_a_record_is_damaged() {
        let detail = |object: &str| {
            let source = serde_json::from_str::<()>("{}").unwrap_err();
            let (object, store) = (object.to_owned(), "memory://".to_owned());
            RegistryError::from(StoreError::Malformed { object, store, source }).to_string()
        };
        assert_eq!(detail("blobs/sha256/ab"), NEWER);
        assert_eq!(detail("functions/treats.json"), DAMAGED);
    }
}
