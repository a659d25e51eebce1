//! A version as OCI documents: an image manifest, and the configuration it names.
//!
//! They follow the CNCF's "Wasm OCI Artifact layout", so that registries and other tools read them. What only Nebula
//! needs is one more object in the configuration. They hold no time: the same version always has the same digest, and a
//! publish recognises it by that.

use bytes::Bytes;
use futures_util::future::try_join;
use serde::{Deserialize, Serialize, de::Error as _};

use super::{backend::Backend, blob::Blob, error::StoreError, layout, record::FunctionRecord, version::NewVersion};
use crate::function::{Composition, Digest, Export, FunctionConfig, FunctionInfo, FunctionName, Kind};

/// A published version of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Manifest {
    /// The module's digest.
    pub module: Digest,
    /// The module's size, in bytes.
    pub size: u64,
    /// Its kind, which decides how it is called.
    pub kind: Kind,
    /// Its exports, in the module's order.
    pub exports: Vec<Export>,
    /// Its configuration.
    pub config: FunctionConfig,
    /// The components that it was composed of, if it was.
    pub composition: Option<Composition>,
}

impl Manifest {
    /// What a catalog shows of the version `number` of a function.
    pub(crate) fn info(&self, name: &FunctionName, number: u64, record: &FunctionRecord) -> FunctionInfo {
        let Self { module, size, kind, exports, config, composition } = self.clone();
        let (name, version, digest) = (name.clone(), number, module);
        let (aliases, targets) = (record.aliases_of(number), record.targets());
        FunctionInfo { name, version, aliases, targets, digest, size, kind, exports, config, composition }
    }
}

/// The documents of a version.
pub(super) struct Documents {
    pub(super) manifest: Blob,
    pub(super) config: Blob,
}

impl Documents {
    /// The documents of a version whose module is this blob.
    pub(super) fn of(version: NewVersion, module: &Blob) -> Result<Self, serde_json::Error> {
        let config = Blob::new(serde_json::to_vec(&WasmConfig::of(version, module))?.into());
        let manifest = Blob::new(serde_json::to_vec(&ImageManifest::of(&config, module))?.into());
        Ok(Self { manifest, config })
    }

    /// Writes all blobs of the version, from the leaves to the root.
    pub(super) async fn write(&self, module: &Blob, backend: &Backend) -> Result<(), StoreError> {
        try_join(module.write(backend), self.config.write(backend)).await?;
        self.manifest.write(backend).await
    }
}

impl Manifest {
    /// Reads a manifest and the configuration it names.
    pub(super) async fn read(backend: &Backend, digest: Digest) -> Result<Self, StoreError> {
        let (config, layer) = descriptors(backend, digest).await?;
        let WasmConfig { nebula: Nebula { kind, exports, config, composition }, .. } =
            document(backend, config.digest).await?;
        Ok(Self { module: layer.digest, size: layer.size, kind, exports, config, composition })
    }
}

/// The digest of the configuration that a manifest names.
pub(super) async fn config_of(backend: &Backend, manifest: Digest) -> Result<Digest, StoreError> {
    descriptors(backend, manifest).await.map(|(config, _)| config.digest)
}

/// The digests of the configuration and of the module that a manifest names.
pub(super) async fn blobs_of(backend: &Backend, manifest: Digest) -> Result<(Digest, Digest), StoreError> {
    descriptors(backend, manifest).await.map(|(config, layer)| (config.digest, layer.digest))
}

async fn descriptors(backend: &Backend, digest: Digest) -> Result<(Descriptor, Descriptor), StoreError> {
    let manifest: ImageManifest = document(backend, digest).await?;
    manifest.check().map_err(|source| backend.malformed(&layout::blob(digest), source))
}

async fn document<T: serde::de::DeserializeOwned>(backend: &Backend, digest: Digest) -> Result<T, StoreError> {
    let blob = Blob::read(backend, digest).await?;
    backend.decode(&layout::blob(digest), blob.bytes())
}

const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE: &str = "application/vnd.wasm.config.v0+json";
const MODULE_TYPE: &str = "application/wasm";

/// OCI image specification, "Image Manifest".
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ImageManifest {
    schema_version: u8,
    media_type: String,
    config: Descriptor,
    layers: Vec<Descriptor>,
}

/// OCI image specification, "Content Descriptors".
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: Digest,
    size: u64,
}

/// Wasm OCI Artifact layout, "config.mediaType".
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WasmConfig {
    created: String,
    architecture: String,
    os: String,
    layer_digests: Vec<Digest>,
    nebula: Nebula,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nebula {
    kind: Kind,
    exports: Vec<Export>,
    config: FunctionConfig,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    composition: Option<Composition>,
}

impl ImageManifest {
    fn of(config: &Blob, module: &Blob) -> Self {
        Self {
            schema_version: 2,
            media_type: MANIFEST_TYPE.to_owned(),
            config: Descriptor::of(CONFIG_TYPE, config),
            layers: vec![Descriptor::of(MODULE_TYPE, module)],
        }
    }

    /// The descriptors of the configuration and of the module.
    fn check(self) -> Result<(Descriptor, Descriptor), serde_json::Error> {
        let expect = |what, found: &str, expected: &str| {
            let mismatch = || serde_json::Error::custom(format!("{what} is {found:?}, expected {expected:?}"));
            (found == expected).then_some(()).ok_or_else(mismatch)
        };
        expect("mediaType", &self.media_type, MANIFEST_TYPE)?;
        expect("config.mediaType", &self.config.media_type, CONFIG_TYPE)?;
        let [layer] = <[Descriptor; 1]>::try_from(self.layers)
            .map_err(|layers| serde_json::Error::custom(format!("it has {} layers, expected 1", layers.len())))?;
        expect("layers[0].mediaType", &layer.media_type, MODULE_TYPE)?;
        Ok((self.config, layer))
    }
}

impl Descriptor {
    fn of(media_type: &str, blob: &Blob) -> Self {
        Self { media_type: media_type.to_owned(), digest: blob.digest(), size: blob.bytes().len() as u64 }
    }
}

impl WasmConfig {
    fn of(NewVersion { kind, exports, config, composition, .. }: NewVersion, module: &Blob) -> Self {
        Self {
            // The layout asks for a time. A true one would make every publish of the same version another one.
            created: "1970-01-01T00:00:00Z".to_owned(),
            architecture: "wasm".to_owned(),
            os: if is_component(module.bytes()) { "wasip2" } else { "wasip1" }.to_owned(),
            layer_digests: vec![module.digest()],
            nebula: Nebula { kind, exports, config, composition },
        }
    }
}

/// Whether the bytes are a component's: the layer in their preamble is 1 (Component Model, "Binary Format").
fn is_component(module: &Bytes) -> bool {
    module.get(6..8) == Some(&[1, 0])
}
