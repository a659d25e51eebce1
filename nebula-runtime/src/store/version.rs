//! A version before and after it is published.

use bytes::Bytes;

use crate::function::{Composition, Digest, Export, FunctionConfig, Kind};

/// A version that is about to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewVersion {
    /// The module or component, in the binary format.
    pub module: Bytes,
    /// Its kind, which decides how it is called.
    pub kind: Kind,
    /// Its exports, in the module's order.
    pub exports: Vec<Export>,
    /// Its configuration.
    pub config: FunctionConfig,
    /// The components that it was composed of, if it was.
    pub composition: Option<Composition>,
    /// Who publishes it, where that is known: `ada@laptop`. At most 100 characters of it are kept.
    pub published_by: Option<String>,
}

/// A version that is published.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublishedVersion {
    /// Its number.
    pub number: u64,
    /// The digest of its manifest, which stands for code and configuration.
    pub manifest: Digest,
    /// The digest of its module.
    pub module: Digest,
    /// Whether the publish made a version or moved an alias. It does neither if exactly this is the latest version
    /// already.
    pub changed: bool,
}
