//! What a signature says.

use crate::function::{Digest, FunctionName};

/// What a signature says: these are the bytes of that function.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claim {
    /// The function's name. A signature of another tool has the name of its repository here.
    pub name: String,
    /// The digest of the version's manifest, which names everything else.
    pub manifest: Digest,
    /// The number of the version. A signature of another tool does not say it.
    pub version: Option<u64>,
}

impl Claim {
    /// That a manifest is the one of this version of a function.
    pub fn new(name: &FunctionName, manifest: Digest, version: u64) -> Self {
        Self { name: name.to_string(), manifest, version: Some(version) }
    }
}
