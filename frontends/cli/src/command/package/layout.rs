//! An image, as registries have it, and as a file: an OCI image layout in a tar ("OCI Image Layout Specification"). The
//! file has the index of `docker save`, too, so that `docker load` reads it in every version.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    path::Path,
};

use bytes::Bytes;
use nebula_runtime::{Architecture, Digest};
use serde_json::{Value, json};
use tar::Builder;

use super::layer::{Layer, append_file};
use crate::oci::Blob;

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

/// The documents of an image, and its layers.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) architecture: Architecture,
    config: Blob,
    /// The layers, the lowest first, each with what made it.
    pub(super) layers: Vec<(Layer, &'static str)>,
    /// The manifest, whose digest is the name of the image in registries.
    pub(super) manifest: Bytes,
}

impl ImageLayout {
    /// The image with its documents.
    pub(super) fn finish(self) -> io::Result<Image> {
        let config = Blob::of(serde_json::to_vec(&self.config())?.into());
        let layers: Vec<_> = self.layers.iter().map(|(layer, _)| descriptor(LAYER, &layer.blob)).collect();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(CONFIG, &config), "layers": layers,
        });
        let manifest = serde_json::to_vec(&manifest)?.into();
        Ok(Image { architecture: self.architecture, config, layers: self.layers, manifest })
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

impl Image {
    /// The digest by which registries know the image.
    pub(super) fn digest(&self) -> Digest {
        Digest::of(&self.manifest)
    }

    /// The blobs that the manifest names.
    pub(super) fn blobs(&self) -> impl Iterator<Item = &Blob> {
        self.layers.iter().map(|(layer, _)| &layer.blob).chain([&self.config])
    }

    /// Writes the image as a file.
    pub(super) fn write(&self, to: impl Write) -> io::Result<()> {
        let mut tar = Builder::new(to);
        let texts = [
            ("oci-layout", json!({ "imageLayoutVersion": "1.0.0" })),
            ("index.json", self.index()),
            ("manifest.json", self.docker()),
        ];
        for (path, value) in texts {
            append_blob(&mut tar, path, &Blob::of(serde_json::to_vec(&value)?.into()))?;
        }
        let manifest = Blob::of(self.manifest.clone());
        // Two layers may be the same.
        let blobs: BTreeMap<_, _> = self.blobs().chain([&manifest]).map(|blob| (path(&blob.digest), blob)).collect();
        blobs.iter().try_for_each(|(path, blob)| append_blob(&mut tar, path, blob))?;
        tar.into_inner().map(drop)
    }

    fn index(&self) -> Value {
        let mut manifest = descriptor(MANIFEST, &Blob::of(self.manifest.clone()));
        let platform = json!({ "architecture": architecture(self.architecture), "os": "linux" });
        manifest.as_object_mut().into_iter().for_each(|it| drop(it.insert("platform".to_owned(), platform.clone())));
        json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [manifest],
        })
    }

    /// The index of `docker save`.
    fn docker(&self) -> Value {
        let layers: Vec<_> = self.layers.iter().map(|(layer, _)| path(&layer.blob.digest)).collect();
        json!([{ "Config": path(&self.config.digest), "RepoTags": null, "Layers": layers }])
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

/// Names a blob ("OCI Content Descriptors").
fn descriptor(media_type: &str, blob: &Blob) -> Value {
    json!({ "mediaType": media_type, "digest": blob.digest, "size": blob.size })
}

fn append_blob(tar: &mut Builder<impl Write>, path: &str, blob: &Blob) -> io::Result<()> {
    append_file(tar, Path::new(path), 0o644, blob.size, blob.reader()?)
}
