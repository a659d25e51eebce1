//! The versions of a function.

use serde::{Deserialize, Serialize};

use super::lookup::Registry;
use crate::{
    function::{AliasName, Digest, FunctionName, RegistryError, Timestamp},
    store::Origin,
};

/// A version of a function, as the function's record has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct VersionInfo {
    /// Its number.
    pub version: u64,
    /// The module's digest.
    pub digest: Digest,
    /// The aliases that point to it, to it alone or to it among others.
    pub aliases: Vec<AliasName>,
    /// When it was published. `None` for a version from a record of format 1, which did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_at: Option<Timestamp>,
    /// Who published it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_by: Option<String>,
    /// The registry that it was pulled from, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The blobs of its signatures. Whether they count depends on the keys of each process.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<Digest>,
}

impl Registry {
    /// All versions of a function, the newest first. A function whose versions are all removed has none.
    pub(crate) async fn versions(&self, name: &FunctionName) -> Result<Vec<VersionInfo>, RegistryError> {
        let record = self.record(name).await?;
        let versions = record.versions().rev().map(|(version, entry)| VersionInfo {
            version,
            digest: entry.module,
            aliases: record.aliases_of(version),
            published_at: entry.published_at,
            published_by: entry.published_by.clone(),
            origin: entry.origin.clone(),
            signatures: entry.signatures.clone(),
        });
        Ok(versions.collect())
    }
}
