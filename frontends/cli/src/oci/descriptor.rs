//! Descriptors: what manifests say of other blobs (OCI image specification, "Content Descriptors").

use std::collections::BTreeMap;

use nebula_runtime::Digest;
use serde::{Deserialize, Serialize};

/// The media type of a manifest.
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The media type of a list of manifests.
pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// What a manifest says of a blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub(super) media_type: String,
    pub(super) digest: Digest,
    pub(super) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) artifact_type: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// The descriptor of these bytes.
    pub(super) fn of(media_type: &str, bytes: &[u8]) -> Self {
        let (digest, size) = (Digest::of(bytes), bytes.len() as u64);
        Self { media_type: media_type.to_owned(), digest, size, artifact_type: None, annotations: BTreeMap::new() }
    }
}

/// A manifest, as far as Nebula writes and reads it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    pub(super) schema_version: u8,
    #[serde(default = "manifest")]
    pub(super) media_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) artifact_type: Option<String>,
    pub(super) config: Descriptor,
    pub(super) layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) subject: Option<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// A manifest of these blobs.
    pub(super) fn of(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        let (schema_version, media_type, annotations) = (2, manifest(), BTreeMap::new());
        Self { schema_version, media_type, artifact_type: None, config, layers, subject: None, annotations }
    }
}

/// A list of manifests.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index {
    pub(super) schema_version: u8,
    #[serde(default = "index")]
    pub(super) media_type: String,
    pub(super) manifests: Vec<Descriptor>,
}

impl Index {
    pub(super) fn of(manifests: Vec<Descriptor>) -> Self {
        Self { schema_version: 2, media_type: index(), manifests }
    }
}

fn manifest() -> String {
    MANIFEST.to_owned()
}

fn index() -> String {
    INDEX.to_owned()
}
