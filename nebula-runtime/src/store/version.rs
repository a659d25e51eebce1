//! A version before and after it is published.

use bytes::Bytes;

use super::origin::Origin;
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
    /// The image that invocations start from. There is one if the configuration asks for it.
    pub snapshot: Option<Bytes>,
    /// Who publishes it, where that is known: `ada@laptop`. At most 100 characters of it are kept.
    pub published_by: Option<String>,
    /// The registry that it was pulled from, if it was.
    pub origin: Option<Origin>,
}

/// The blobs of a version, as they are: an artifact of a registry is made of the same.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VersionBlobs {
    /// The OCI image manifest.
    pub manifest: Bytes,
    /// The configuration that it names.
    pub config: Bytes,
    /// The module that it names.
    pub module: Bytes,
    /// The image that it names, if the version has one.
    pub snapshot: Option<Bytes>,
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
