//! What an artifact has to have to be a function.

use nebula_admin::Admin;
use nebula_runtime::{ByteSize, FunctionConfig};
use serde::Deserialize;
use serde_json::Value;

use super::{
    descriptor::{Descriptor, Index, Manifest},
    error::OciError,
    reference::OciReference,
};

/// The largest module that is pulled: the same as the largest that a server takes.
pub(super) const MAX_MODULE: ByteSize = Admin::MAX_UPLOAD;

/// The media types of layers with WebAssembly: that of the Wasm OCI Artifact layout, and those that tools wrote before.
const WASM: [&str; 3] = [
    "application/wasm",
    "application/vnd.wasm.content.layer.v1+wasm",
    "application/vnd.module.wasm.content.layer.v1+wasm",
];

/// The media type of the layer with the image of a snapshot, which Nebula alone writes.
const SNAPSHOT: &str = "application/vnd.nebula.snapshot.v1+wasm";

/// The media type of the configuration of the Wasm OCI Artifact layout.
const CONFIG: &str = "application/vnd.wasm.config.v0+json";

/// An artifact with one module.
pub(crate) struct Artifact {
    pub(super) module: Descriptor,
    /// The configuration, if it is one of the Wasm OCI Artifact layout.
    pub(super) config: Option<Descriptor>,
    /// The image of the module's snapshot, if it has one.
    pub(super) snapshot: Option<Descriptor>,
}

impl Artifact {
    /// Reads a manifest.
    pub(crate) fn of(reference: &OciReference, manifest: &[u8]) -> Result<Self, OciError> {
        let malformed = |source| OciError::Malformed { what: "manifest", reference: reference.to_string(), source };
        if let Ok(Index { manifests, .. }) = serde_json::from_slice(manifest) {
            let found: Vec<_> =
                manifests.iter().map(|one| format!("oci://{}@{}", reference.name(), one.digest)).collect();
            return Err(OciError::Index { reference: reference.to_string(), found: found.join(", ") });
        }
        let Manifest { config, layers, .. } = serde_json::from_slice(manifest).map_err(malformed)?;
        let found: Vec<_> = layers.iter().map(|layer| layer.media_type.clone()).collect();
        let snapshot = layers.iter().find(|layer| layer.media_type == SNAPSHOT).cloned();
        let is_wasm = |layer: &Descriptor| WASM.contains(&layer.media_type.as_str());
        let mut modules: Vec<_> = layers.into_iter().filter(is_wasm).collect();
        let reference = || reference.to_string();
        match (modules.pop(), modules.len()) {
            (Some(module), 0) => {
                Ok(Self { module, config: Some(config).filter(|it| it.media_type == CONFIG), snapshot })
            }
            (Some(_), others) => Err(OciError::SeveralWasm { reference: reference(), count: others + 1 }),
            (None, _) => {
                let found = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
                Err(OciError::NoWasm { reference: reference(), found })
            }
        }
    }
}

#[derive(Deserialize)]
struct WasmConfig {
    nebula: Option<Nebula>,
}

#[derive(Deserialize)]
struct Nebula {
    config: FunctionConfig,
    composition: Option<Value>,
}

/// The function's configuration in that of an artifact, if Nebula pushed it.
pub(crate) fn function_config(config: &[u8]) -> Result<Option<FunctionConfig>, serde_json::Error> {
    let nebula = serde_json::from_slice::<WasmConfig>(config)?.nebula;
    Ok(nebula.map(|Nebula { mut config, composition }| {
        if composition.is_some() {
            // They are linked in the module already.
            config.imports.clear();
        }
        config
    }))
}
