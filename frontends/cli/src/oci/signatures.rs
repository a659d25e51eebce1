//! Signatures in a registry, where cosign has them too.
//!
//! - Simple signing: the manifest at the tag `sha256-<hex>.sig` has a layer for each signature.
//! - Sigstore bundles: each is a manifest whose subject is the artifact. A registry without the referrers API has a list of
//!   them at the tag `sha256-<hex>` (OCI distribution specification, "Referrers Tag Schema").

use bytes::Bytes;
use nebula_runtime::{
    ByteSize, Digest,
    store::trust::{BUNDLE, SIMPLE_SIGNING, Signature, SignatureForm},
};
use oci_spec::distribution::Reference;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use super::{
    blob::Blob,
    descriptor::{Descriptor, INDEX, Index, MANIFEST, Manifest},
    error::OciError,
    registry::Registry,
};

/// The largest signature that is pulled.
const MAX_SIGNATURE: ByteSize = ByteSize::mib(1);

/// How many signatures of each form are pulled.
const MAX_SIGNATURES: usize = 32;

/// The media type of an image's configuration, which cosign gives to the manifest of its signatures.
const IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// The media type of a configuration that is empty.
const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// The signatures of the artifact whose manifest has this digest. Those of unknown forms are left out.
pub(super) async fn pull(registry: &Registry, digest: &Digest) -> Result<Vec<Signature>, OciError> {
    let mut signatures = Vec::new();
    let signed = registry.manifest(&signature_tag(registry, digest)).await?;
    let layers = signed.and_then(|bytes| read::<Manifest>(&bytes)).map(|manifest| manifest.layers).unwrap_or_default();
    let simple = layers.iter().filter(|layer| layer.media_type == SIMPLE_SIGNING);
    for layer in simple.take(MAX_SIGNATURES) {
        let payload = registry.blob("signature", layer, MAX_SIGNATURE).await?;
        signatures.push(Signature::of_simple_parts(payload, layer.annotations.clone()));
    }
    for referrer in registry.referrers(digest, BUNDLE).await?.iter().take(MAX_SIGNATURES) {
        signatures.extend(pull_bundle(registry, referrer).await?);
    }
    Ok(signatures)
}

async fn pull_bundle(registry: &Registry, digest: &Digest) -> Result<Option<Signature>, OciError> {
    let manifest = registry.manifest(&registry.reference.at(digest)).await?;
    let layers =
        manifest.and_then(|bytes| read::<Manifest>(&bytes)).map(|manifest| manifest.layers).unwrap_or_default();
    let Some(layer) = layers.iter().find(|layer| layer.media_type == BUNDLE) else { return Ok(None) };
    let bundle = registry.blob("signature", layer, MAX_SIGNATURE).await?;
    Ok(Signature::parse(bundle).inspect_err(|error| tracing::warn!(%error, "a signature is left out")).ok())
}

/// Pushes the signatures of the artifact that `subject` describes. Signatures that others pushed stay.
pub(super) async fn push(registry: &Registry, subject: &Descriptor, signatures: &[Signature]) -> Result<(), OciError> {
    push_simple(registry, subject, signatures).await?;
    for bundle in signatures.iter().filter(|signature| signature.form() == SignatureForm::Bundle) {
        push_bundle(registry, subject, bundle.bytes().clone()).await?;
    }
    Ok(())
}

async fn push_simple(registry: &Registry, subject: &Descriptor, signatures: &[Signature]) -> Result<(), OciError> {
    let tag = signature_tag(registry, &subject.digest);
    let known = registry.manifest(&tag).await?.and_then(|bytes| read::<Manifest>(&bytes));
    let mut layers = known.map(|manifest| manifest.layers).unwrap_or_default();
    let known = layers.len();
    for parts in signatures.iter().filter_map(Signature::simple_parts) {
        let annotations = parts.annotations.clone();
        let layer = Descriptor { annotations, ..Descriptor::of(SIMPLE_SIGNING, &parts.payload) };
        if !layers.contains(&layer) {
            registry.push_blob(&Blob::of(parts.payload.clone())).await?;
            layers.push(layer);
        }
    }
    if layers.len() == known {
        return Ok(());
    }
    let config = image_config(&layers);
    let manifest = written(&Manifest::of(Descriptor::of(IMAGE_CONFIG, &config), layers));
    registry.push_blob(&Blob::of(config)).await?;
    registry.push_manifest(&tag, manifest, MANIFEST).await
}

/// A configuration with the layers of an image, as cosign writes it. It has no time, so that the same signatures always
/// make the same bytes.
fn image_config(layers: &[Descriptor]) -> Bytes {
    const NEVER: &str = "0001-01-01T00:00:00Z";

    let digests: Vec<_> = layers.iter().map(|layer| layer.digest).collect();
    let history = vec![json!({ "created": NEVER }); layers.len()];
    written(&json!({
        "architecture": "", "created": NEVER, "history": history, "os": "",
        "rootfs": { "type": "layers", "diff_ids": digests }, "config": {},
    }))
}

async fn push_bundle(registry: &Registry, subject: &Descriptor, bundle: Bytes) -> Result<(), OciError> {
    let empty = Bytes::from_static(b"{}");
    let annotations = [
        ("dev.sigstore.bundle.content", "dsse-envelope"),
        ("dev.sigstore.bundle.predicateType", "https://sigstore.dev/cosign/sign/v1"),
    ];
    let layers = vec![Descriptor::of(BUNDLE, &bundle)];
    let manifest = Manifest {
        artifact_type: Some(BUNDLE.to_owned()),
        subject: Some(subject.clone()),
        annotations: annotations.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        ..Manifest::of(Descriptor::of(EMPTY, &empty), layers)
    };
    let bytes = written(&manifest);
    let described = Descriptor {
        artifact_type: manifest.artifact_type,
        annotations: manifest.annotations,
        ..Descriptor::of(MANIFEST, &bytes)
    };
    registry.push_blob(&Blob::of(empty)).await?;
    registry.push_blob(&Blob::of(bundle)).await?;
    registry.push_manifest(&registry.reference.at(&described.digest), bytes, MANIFEST).await?;
    list(registry, subject, described).await
}

/// Adds a manifest to the list at the tag of its subject, if the registry does not list it by itself.
async fn list(registry: &Registry, subject: &Descriptor, referrer: Descriptor) -> Result<(), OciError> {
    if registry.referrers(&subject.digest, BUNDLE).await?.contains(&referrer.digest) {
        return Ok(());
    }
    let tag = registry.reference.referrers_tag(&subject.digest);
    let known = registry.manifest(&tag).await?.and_then(|bytes| read::<Index>(&bytes));
    let mut manifests = known.map(|index| index.manifests).unwrap_or_default();
    manifests.push(referrer);
    registry.push_manifest(&tag, written(&Index::of(manifests)), INDEX).await
}

/// Where cosign has the signatures of an artifact.
fn signature_tag(registry: &Registry, digest: &Digest) -> Reference {
    registry.reference.at_tag(format!("sha256-{}.sig", digest.hex()))
}

/// A document that someone wrote; nothing, if it is another one than was expected: then it says nothing about signatures.
fn read<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}

fn written(document: &impl Serialize) -> Bytes {
    // Texts, numbers and maps always serialize.
    serde_json::to_vec(document).unwrap_or_default().into()
}
