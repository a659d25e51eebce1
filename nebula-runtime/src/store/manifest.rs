//! A version as OCI documents: an image manifest, and the configuration it names.
//!
//! They follow the CNCF's "Wasm OCI Artifact layout", so that registries and other tools read them. What only Nebula
//! needs is one more object in the configuration. They hold no time: the same version always has the same digest, and a
//! publish recognises it by that.

use bytes::Bytes;
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize, de::Error as _};

use super::{backend::Backend, blob::Blob, error::StoreError, layout, record::FunctionRecord, version::NewVersion};
use crate::function::{Composition, Digest, Export, FunctionConfig, FunctionInfo, FunctionName, Kind, SnapshotImage};

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
    /// The image that invocations start from, if its configuration asks for one.
    pub snapshot: Option<SnapshotImage>,
}

impl Manifest {
    /// The digest of the code that runs: that of the image, or else of the module.
    pub(crate) fn code(&self) -> Digest {
        self.snapshot.map_or(self.module, |image| image.digest)
    }

    /// What a catalog shows of the version `number` of a function.
    pub(crate) fn info(&self, name: &FunctionName, number: u64, record: &FunctionRecord) -> FunctionInfo {
        let Self { module, size, kind, exports, config, composition, snapshot } = self.clone();
        let (name, version, digest) = (name.clone(), number, module);
        let (aliases, targets) = (record.aliases_of(number), record.targets());
        FunctionInfo { name, version, aliases, targets, digest, size, kind, exports, config, composition, snapshot }
    }
}

/// The WebAssembly of a version.
pub(super) struct Code {
    pub(super) module: Blob,
    /// The image that invocations start from.
    pub(super) snapshot: Option<Blob>,
}

impl Code {
    /// The WebAssembly of a version that is about to be published.
    pub(super) async fn of(version: &NewVersion, backend: &Backend) -> Result<Self, StoreError> {
        let module = Blob::of(version.module.clone(), backend).await?;
        let snapshot = match &version.snapshot {
            Some(image) => Some(Blob::of(image.clone(), backend).await?),
            None => None,
        };
        Ok(Self { module, snapshot })
    }
}

/// The documents of a version.
pub(super) struct Documents {
    pub(super) manifest: Blob,
    pub(super) config: Blob,
}

impl Documents {
    /// The documents of a version with this code.
    pub(super) fn of(version: NewVersion, code: &Code) -> Result<Self, serde_json::Error> {
        let config = Blob::new(serde_json::to_vec(&WasmConfig::of(version, code))?.into());
        let manifest = Blob::new(serde_json::to_vec(&ImageManifest::of(&config, code))?.into());
        Ok(Self { manifest, config })
    }

    /// Writes all blobs of the version, from the leaves to the root.
    pub(super) async fn write(&self, code: &Code, backend: &Backend) -> Result<(), StoreError> {
        let leaves = [&code.module, &self.config].into_iter().chain(&code.snapshot);
        try_join_all(leaves.map(|blob| blob.write(backend))).await?;
        self.manifest.write(backend).await
    }
}

impl Manifest {
    /// Reads a manifest and the configuration it names.
    pub(super) async fn read(backend: &Backend, digest: Digest) -> Result<Self, StoreError> {
        let Named { config, module, snapshot } = named(backend, digest).await?;
        let WasmConfig { nebula: Nebula { kind, exports, config, composition }, .. } =
            document(backend, config.digest).await?;
        let snapshot = snapshot.map(|image| SnapshotImage::new(image.digest, image.size));
        if config.snapshot.is_off() == snapshot.is_some() {
            let mismatch = "its configuration and its layers disagree about a snapshot";
            return Err(backend.malformed(&layout::blob(digest), serde_json::Error::custom(mismatch)));
        }
        Ok(Self { module: module.digest, size: module.size, kind, exports, config, composition, snapshot })
    }
}

/// The digests of the blobs that a manifest names.
pub(super) struct VersionDigests {
    pub(super) config: Digest,
    pub(super) module: Digest,
    pub(super) snapshot: Option<Digest>,
}

/// The digests of the blobs that a manifest names.
pub(super) async fn blobs_of(backend: &Backend, manifest: Digest) -> Result<VersionDigests, StoreError> {
    let Named { config, module, snapshot } = named(backend, manifest).await?;
    let snapshot = snapshot.map(|image| image.digest);
    Ok(VersionDigests { config: config.digest, module: module.digest, snapshot })
}

async fn named(backend: &Backend, digest: Digest) -> Result<Named, StoreError> {
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
/// An image is not `application/wasm`: other tools run the module, which is the only layer of that type.
const SNAPSHOT_TYPE: &str = "application/vnd.nebula.snapshot.v1+wasm";

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

/// What a manifest names.
struct Named {
    config: Descriptor,
    module: Descriptor,
    snapshot: Option<Descriptor>,
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
    fn of(config: &Blob, code: &Code) -> Self {
        let module = Descriptor::of(MODULE_TYPE, &code.module);
        let snapshot = code.snapshot.as_ref().map(|image| Descriptor::of(SNAPSHOT_TYPE, image));
        Self {
            schema_version: 2,
            media_type: MANIFEST_TYPE.to_owned(),
            config: Descriptor::of(CONFIG_TYPE, config),
            layers: std::iter::once(module).chain(snapshot).collect(),
        }
    }

    /// What it names: a configuration, a module, and perhaps the image of a snapshot.
    fn check(self) -> Result<Named, serde_json::Error> {
        let expect = |what, found: &str, expected: &str| {
            let mismatch = || serde_json::Error::custom(format!("{what} is {found:?}, expected {expected:?}"));
            (found == expected).then_some(()).ok_or_else(mismatch)
        };
        expect("mediaType", &self.media_type, MANIFEST_TYPE)?;
        expect("config.mediaType", &self.config.media_type, CONFIG_TYPE)?;
        let count = self.layers.len();
        let mut layers = self.layers.into_iter();
        let (Some(module), snapshot, None) = (layers.next(), layers.next(), layers.next()) else {
            return Err(serde_json::Error::custom(format!("it has {count} layers, expected 1 or 2")));
        };
        expect("layers[0].mediaType", &module.media_type, MODULE_TYPE)?;
        if let Some(image) = &snapshot {
            expect("layers[1].mediaType", &image.media_type, SNAPSHOT_TYPE)?;
        }
        Ok(Named { config: self.config, module, snapshot })
    }
}

impl Descriptor {
    fn of(media_type: &str, blob: &Blob) -> Self {
        Self { media_type: media_type.to_owned(), digest: blob.digest(), size: blob.bytes().len() as u64 }
    }
}

impl WasmConfig {
    fn of(NewVersion { kind, exports, config, composition, .. }: NewVersion, code: &Code) -> Self {
        Self {
            // The layout asks for a time. A true one would make every publish of the same version another one.
            created: "1970-01-01T00:00:00Z".to_owned(),
            architecture: "wasm".to_owned(),
            os: if is_component(code.module.bytes()) { "wasip2" } else { "wasip1" }.to_owned(),
            layer_digests: [&code.module].into_iter().chain(&code.snapshot).map(Blob::digest).collect(),
            nebula: Nebula { kind, exports, config, composition },
        }
    }
}

/// Whether the bytes are a component's: the layer in their preamble is 1 (Component Model, "Binary Format").
fn is_component(module: &Bytes) -> bool {
    module.get(6..8) == Some(&[1, 0])
}
