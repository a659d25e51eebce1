//! Where a version came from.

use serde::{Deserialize, Serialize};

use crate::function::Digest;

/// The registry that a version was pulled from, as the publisher says: nothing in the store proves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Origin {
    /// The reference that was pulled: `oci://registry.example.com/team/shop:1.2`.
    pub reference: String,
    /// The digest of the manifest that was pulled.
    pub digest: Digest,
    /// The name of the key that had signed it in the registry, where one of the trusted keys had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
}

impl Origin {
    /// The manifest with this digest, pulled by this reference.
    pub fn new(reference: impl Into<String>, digest: Digest, signed_by: Option<String>) -> Self {
        Self { reference: reference.into(), digest, signed_by }
    }
}
