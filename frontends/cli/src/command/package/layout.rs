//! The file of an image: an OCI image layout in a tar ("OCI Image Layout Specification"). It has the index of `docker
//! save`, too, so that `docker load` reads it in every version.

use std::{collections::BTreeMap, io, path::Path};

use bytes::Bytes;
use nebula_runtime::{Architecture, Digest};
use serde_json::{Value, json};
use tar::Builder;

use super::layer::{Layer, append};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// The time of everything in an image, so that the same functions always make the same image.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// An image: its layers, and how a container of it starts.
#[derive(Debug)]
pub(super) struct ImageLayout {
    pub(super) architecture: Architecture,
    /// The `config` object of the image's configuration.
    pub(super) run: Value,
    /// The layers, the lowest first, each with what made it.
    pub(super) layers: Vec<(Layer, &'static str)>,
}

/// The file of an image.
#[derive(Debug)]
pub(super) struct ImageFile {
    pub(super) tar: Vec<u8>,
    /// The digest of the image's manifest, by which registries know it.
    pub(super) digest: Digest,
}

impl ImageLayout {
    /// The image's file.
    pub(super) fn write(&self) -> io::Result<ImageFile> {
        let mut blobs = Blobs::default();
        let config = blobs.add_json(CONFIG, &self.config())?;
        let layers: Vec<_> = self.layers.iter().map(|(layer, _)| blobs.add(LAYER, layer.blob.clone())).collect();
        let docker = json!([{
            "Config": path(&config.digest),
            "RepoTags": null,
            "Layers": layers.iter().map(|layer| path(&layer.digest)).collect::<Vec<_>>(),
        }]);
        let layers: Vec<_> = layers.iter().map(Descriptor::json).collect();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": config.json(), "layers": layers,
        });
        let manifest = blobs.add_json(MANIFEST, &manifest)?;
        let described = json!({
            "mediaType": MANIFEST, "digest": manifest.digest, "size": manifest.size,
            "platform": { "architecture": architecture(self.architecture), "os": "linux" },
        });
        let index = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [described],
        });
        let tar = blobs.tar(&index, &docker)?;
        Ok(ImageFile { tar, digest: manifest.digest })
    }

    fn config(&self) -> Value {
        let diff_ids: Vec<_> = self.layers.iter().map(|(layer, _)| layer.diff_id).collect();
        let history = self.layers.iter().map(|(_, made_by)| json!({ "created": CREATED, "created_by": made_by }));
        json!({
            "created": CREATED,
            "architecture": architecture(self.architecture),
            "os": "linux",
            "config": self.run,
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
            "history": history.collect::<Vec<_>>(),
        })
    }
}

/// The name of a processor in images, which is that of Go.
fn architecture(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86_64 => "amd64",
        Architecture::Arm64 => "arm64",
    }
}

/// The place of a blob in a layout.
fn path(digest: &Digest) -> String {
    format!("blobs/{}", digest.to_string().replace(':', "/"))
}

/// The blobs of a layout, by their paths.
#[derive(Default)]
struct Blobs(BTreeMap<String, Bytes>);

/// Names a blob ("OCI Content Descriptors").
struct Descriptor {
    media_type: &'static str,
    digest: Digest,
    size: usize,
}

impl Descriptor {
    fn json(&self) -> Value {
        json!({ "mediaType": self.media_type, "digest": self.digest, "size": self.size })
    }
}

impl Blobs {
    fn add(&mut self, media_type: &'static str, blob: Bytes) -> Descriptor {
        let descriptor = Descriptor { media_type, digest: Digest::of(&blob), size: blob.len() };
        self.0.insert(path(&descriptor.digest), blob);
        descriptor
    }

    fn add_json(&mut self, media_type: &'static str, value: &Value) -> io::Result<Descriptor> {
        Ok(self.add(media_type, serde_json::to_vec(value)?.into()))
    }

    /// The layout with these blobs.
    fn tar(&self, index: &Value, docker: &Value) -> io::Result<Vec<u8>> {
        let texts = [
            ("oci-layout", json!({ "imageLayoutVersion": "1.0.0" })),
            ("index.json", index.clone()),
            ("manifest.json", docker.clone()),
        ];
        let mut tar = Builder::new(Vec::new());
        for (path, value) in texts {
            append(&mut tar, Path::new(path), 0o644, Some(&serde_json::to_vec(&value)?))?;
        }
        for (path, blob) in &self.0 {
            append(&mut tar, Path::new(path), 0o644, Some(blob))?;
        }
        tar.into_inner()
    }
}
